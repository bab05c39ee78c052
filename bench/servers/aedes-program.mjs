// The aedes server of the benchmark. JavaScript, so that it runs on plain node as the server it is compared with does:
// a loader for TypeScript would be measured too.
import { Aedes } from 'aedes'
import { createServer } from 'node:net'

const broker = await Aedes.createBroker()
const server = createServer({ noDelay: true }, broker.handle)
server.listen(0, '127.0.0.1', () => console.log(`listening on ${server.address().port}`))
process.once('SIGINT', () => process.exit(0))
