// MQTT.js as an MQTT client: publications it received can be awaited.

import { connect, type IClientOptions, type MqttClient } from 'mqtt'

import { ReceivedQueue } from './queue.js'

export interface ReceivedPublication {
  readonly topic: string
  readonly payload: Buffer
  readonly qos: 0 | 1 | 2
  readonly retain: boolean
  readonly dup: boolean
}

export class MqttJsClient {
  readonly client: MqttClient
  /** what CONNACK said */
  sessionPresent = false
  readonly received = new ReceivedQueue<ReceivedPublication>('publication')

  private constructor(client: MqttClient) {
    this.client = client
    client.on('message', (topic, payload, { qos, retain, dup }) => {
      this.received.push({ topic, payload, qos, retain, dup })
    })
  }

  /** Rejects with the error of a refused CONNECT. Does not reconnect. What comes with CONNACK may come before this resolves. */
  static async connect(port: number, options: IClientOptions = {}): Promise<MqttJsClient> {
    const client = connect(`mqtt://127.0.0.1:${port}`, { reconnectPeriod: 0, ...options })
    const made = new MqttJsClient(client)
    await new Promise<void>((resolve, reject) => {
      client.once('connect', ({ sessionPresent }) => {
        made.sessionPresent = sessionPresent
        resolve()
      })
      client.once('error', reject)
      client.once('close', () => reject(new Error('the connection was closed')))
    })
    return made
  }

  /** Granted QoS, or 128, for each filter. */
  async subscribe(filter: string | string[], qos: 0 | 1 | 2): Promise<number[]> {
    const grants = await this.client.subscribeAsync(filter, { qos })
    return grants.map(grant => grant.qos)
  }

  async publish(
    topic: string,
    payload: string | Buffer,
    qos: 0 | 1 | 2 = 0,
    options: { readonly retain?: boolean } = {}
  ): Promise<void> {
    await this.client.publishAsync(topic, payload, { qos, ...options })
  }

  async end(): Promise<void> {
    await this.client.endAsync()
  }
}
