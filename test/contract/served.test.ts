import { describeContract } from './describe.js'
import { servedElsewhere, servedHere, servedToClients } from './served.js'

// the parts in which they differ from their host
describeContract(servedHere, [
  'served-links',
  'served-readers',
  'links',
  'users',
  'reply-nodes',
  'control-addresses'
])
describeContract(servedElsewhere, ['served-links', 'served-readers', 'links', 'users'])
describeContract(servedToClients)
