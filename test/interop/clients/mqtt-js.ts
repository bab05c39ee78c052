// MQTT.js as an MQTT client: publications it received can be awaited.

import { connectAsync, type IClientOptions, type MqttClient } from 'mqtt'

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
  readonly received = new ReceivedQueue<ReceivedPublication>('publication')

  private constructor(client: MqttClient) {
    this.client = client
    client.on('message', (topic, payload, { qos, retain, dup }) => {
      this.received.push({ topic, payload, qos, retain, dup })
    })
  }

  /** Rejects with the error of a refused CONNECT. Does not reconnect. */
  static async connect(port: number, options: IClientOptions = {}): Promise<MqttJsClient> {
    const url = `mqtt://127.0.0.1:${port}`
    return new MqttJsClient(await connectAsync(url, { reconnectPeriod: 0, ...options }, false))
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
