import { describeContract } from './describe.js'
import { remote, remotePooled, remoteWithoutAnonymous } from './remote.js'

describeContract(remote)
describeContract(remoteWithoutAnonymous, ['users'])
// the parts that lose no connection
describeContract(remotePooled, ['topics', 'values', 'credit', 'stores', 'sources', 'durability'])
