// No MQTT server, only sockets: every CONNECT is answered with CONNACK 0, every SUBSCRIBE of a short filter with SUBACK 0, and
// nothing is kept. What node itself needs for connections, so that it is known what a server adds.
import { createServer } from 'node:net'

const CONNACK = Buffer.from([0x20, 2, 0, 0])

const server = createServer({ noDelay: true }, socket => {
  socket.on('data', onData)
  socket.on('error', onError)
})

function onData(chunk) {
  if (chunk[0] === 0x10) this.write(CONNACK)
  else if (chunk[0] === 0x82) this.write(Buffer.from([0x90, 3, chunk[2], chunk[3], 0]))
}

function onError() {
  this.destroy()
}

server.listen({ port: 0, host: '127.0.0.1', backlog: 1024 }, () =>
  console.log(`listening on ${server.address().port}`)
)
process.once('SIGINT', () => process.exit(0))
