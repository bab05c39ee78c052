import { describeContract } from './describe.js'
import { embedded } from './embedded.js'

describeContract(embedded)
