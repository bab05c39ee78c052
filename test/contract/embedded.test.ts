import { describeContract } from './describe.js'
import { embedded, embeddedWithoutAnonymous } from './embedded.js'

describeContract(embedded)
describeContract(embeddedWithoutAnonymous, ['users'])
