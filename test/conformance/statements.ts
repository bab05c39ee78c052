// The normative statements of MQTT 3.1.1 that bind a server (appendix B of the specification), in our own words, and those that
// no test shows yet, with the reason.
// Rule: a feature that comes takes its rows out of NOT_YET; rules.test.ts and docs/conformance.md then ask for its tests.
// A long file, since it is one table.

/** Id, as the specification writes it, to what it asks for. */
export const STATEMENTS: Readonly<Record<string, string>> = {
  '1.5.3-1': 'Strings are well-formed UTF-8 without surrogates; other ones close the connection.',
  '1.5.3-2': 'A string with U+0000 closes the connection.',
  '1.5.3-3': 'The bytes EF BB BF are U+FEFF wherever they come, and are not stripped.',
  '2.2.2-1': 'Reserved flag bits have the values of the table.',
  '2.2.2-2': 'Invalid flags close the connection.',
  '2.3.1-1': 'SUBSCRIBE, UNSUBSCRIBE and PUBLISH with QoS > 0 have a packet id that is not 0.',
  '2.3.1-4': 'The server gives each new PUBLISH with QoS > 0 a packet id that is not in use.',
  '2.3.1-5': 'A PUBLISH with QoS 0 has no packet id.',
  '2.3.1-6': 'PUBACK, PUBREC and PUBREL have the packet id of their PUBLISH.',
  '2.3.1-7': 'SUBACK and UNSUBACK have the packet id of their SUBSCRIBE and UNSUBSCRIBE.',
  '3-8.3-4': 'SUBSCRIBE with reserved bits set, or a QoS other than 0, 1 or 2, closes the connection.',
  '3.1.0-2': 'A second CONNECT is a protocol violation and ends the client.',
  '3.1.2-1': 'A wrong protocol name is not processed as this protocol.',
  '3.1.2-2':
    'A protocol level that is not served is answered with return code 1, and the client disconnected.',
  '3.1.2-3': 'The reserved flag of CONNECT must be 0, or the client is disconnected.',
  '3.1.2-4': 'CleanSession 0 resumes the session of the client id or makes one, and both sides keep it.',
  '3.1.2-5':
    'A stored session gets the QoS 1 and 2 messages that match its subscriptions while the client is away.',
  '3.1.2-6': 'CleanSession 1 discards the former session; the new one lasts as long as the connection.',
  '3.1.2-8':
    'A will is stored with the connection and published when it closes, unless DISCONNECT removed it.',
  '3.1.2-9':
    'With the will flag, will topic and message are there and the will QoS and retain flag are used.',
  '3.1.2-10': 'A will is removed once it was published or DISCONNECT came.',
  '3.1.2-11': 'Without the will flag, will QoS and retain are 0 and there is no will topic or message.',
  '3.1.2-12': 'Without the will flag, no will is published.',
  '3.1.2-13': 'Without the will flag, the will QoS is 0.',
  '3.1.2-14': 'A will QoS is 0, 1 or 2.',
  '3.1.2-15': 'Without the will flag, will retain is 0.',
  '3.1.2-16': 'A will with will retain 0 is published as a message that is not retained.',
  '3.1.2-17': 'A will with will retain 1 is published as a retained message.',
  '3.1.2-18': 'Without the user name flag there is no user name.',
  '3.1.2-19': 'With the user name flag there is a user name.',
  '3.1.2-20': 'Without the password flag there is no password.',
  '3.1.2-21': 'With the password flag there is a password.',
  '3.1.2-22': 'Without the user name flag the password flag is 0.',
  '3.1.2-24': 'A client that sends nothing for one and a half times its keep alive is disconnected.',
  '3.1.2.7': 'Retained messages are no part of a session and stay when it ends.',
  '3.1.3-1':
    'The fields of CONNECT come in the order client id, will topic, will message, user name, password.',
  '3.1.3-2': 'The client id identifies the state of the session.',
  '3.1.3-3': 'The client id is there, as the first field of the payload.',
  '3.1.3-4': 'The client id is a UTF-8 string.',
  '3.1.3-5': 'Client ids of 1 to 23 bytes of letters and digits are allowed.',
  '3.1.3-6': 'An empty client id, where allowed, gets a unique one from the server.',
  '3.1.3-8':
    'An empty client id with CleanSession 0 is answered with return code 2, and the connection closed.',
  '3.1.3-9': 'A client id that is rejected is answered with return code 2, and the connection closed.',
  '3.1.3-10': 'The will topic is a UTF-8 string.',
  '3.1.3-11': 'The user name is a UTF-8 string.',
  '3.1.4-1': 'A CONNECT that is not as it should be closes the connection without CONNACK.',
  '3.1.4-2': 'A client that is connected with this client id is disconnected.',
  '3.1.4-3': 'CleanSession is processed when the CONNECT is valid.',
  '3.1.4-4': 'A valid CONNECT is answered with return code 0.',
  '3.1.4-5': 'Nothing that comes after a rejected CONNECT is processed.',
  '3.2.0-1': 'The first packet of the server is CONNACK.',
  '3.2.2-1': 'With CleanSession 1, session present is 0.',
  '3.2.2-2': 'With CleanSession 0, session present is 1 where the server has the session.',
  '3.2.2-3': 'Where the server has no session, session present is 0.',
  '3.2.2-4': 'With a return code other than 0, session present is 0.',
  '3.2.2-5': 'After a return code other than 0 the connection is closed.',
  '3.2.2-6': 'Where no return code fits, the connection is closed without CONNACK.',
  '3.3.1-1': 'DUP is 1 in a PUBLISH that is sent again.',
  '3.3.1-2': 'DUP is 0 with QoS 0.',
  '3.3.1-3': 'The DUP of a publisher does not travel to subscribers.',
  '3.3.1-4': 'A PUBLISH with both QoS bits closes the connection.',
  '3.3.1-5': 'A PUBLISH with RETAIN is stored for later subscribers, with its QoS.',
  '3.3.1-6': 'A new subscription gets the retained message of each topic that it matches.',
  '3.3.1-7': 'A PUBLISH with QoS 0 and RETAIN replaces the retained message.',
  '3.3.1-8': 'RETAIN is 1 in what is sent because of a new subscription.',
  '3.3.1-9': 'RETAIN is 0 in what is sent to an established subscription.',
  '3.3.1-10': 'An empty PUBLISH with RETAIN is delivered and removes the retained message.',
  '3.3.1-11': 'An empty message is not stored as a retained one.',
  '3.3.1-12': 'A PUBLISH without RETAIN neither stores nor changes a retained message.',
  '3.3.2-1': 'The topic name is the first field of PUBLISH, a UTF-8 string.',
  '3.3.2-2': 'A topic name has no wildcards.',
  '3.3.2-3': 'The topic name that a subscriber gets matches its filter.',
  '3.3.4-1': 'A PUBLISH is answered as its QoS asks.',
  '3.3.5-1': 'A message is delivered at the maximum QoS of all subscriptions that match.',
  '3.3.5-2': 'A PUBLISH that is not authorized is acknowledged, or closes the connection.',
  '3.6.1-1': 'PUBREL with other reserved bits than 0010 closes the connection.',
  '3.8.1-1': 'SUBSCRIBE with other reserved bits than 0010 closes the connection.',
  '3.8.3-1': 'The filters of SUBSCRIBE are UTF-8 strings.',
  '3.8.3-2': 'Filters with wildcards are rejected where they are not supported.',
  '3.8.3-3': 'SUBSCRIBE has at least one filter.',
  '3.8.4-1': 'SUBSCRIBE is answered with SUBACK.',
  '3.8.4-2': 'SUBACK has the packet id of its SUBSCRIBE.',
  '3.8.4-3':
    'A filter that is there already is replaced, retained messages are sent again, and none is interrupted.',
  '3.8.4-4': 'Several filters in one SUBSCRIBE act as several SUBSCRIBEs with one SUBACK.',
  '3.8.4-5': 'SUBACK has a code for each filter: the QoS granted, or failure.',
  '3.8.4-6': 'A message has the lower one of its QoS and the QoS granted.',
  '3.9.3-1': 'The codes of SUBACK are in the order of the filters.',
  '3.9.3-2': 'SUBACK has no codes but 0x00, 0x01, 0x02 and 0x80.',
  '3.10.1-1': 'UNSUBSCRIBE with other reserved bits than 0010 closes the connection.',
  '3.10.3-1': 'The filters of UNSUBSCRIBE are UTF-8 strings.',
  '3.10.3-2': 'UNSUBSCRIBE has at least one filter.',
  '3.10.4-1': 'UNSUBSCRIBE deletes the subscription whose filter is the same, character by character.',
  '3.10.4-2': 'A subscription that was deleted gets no new messages.',
  '3.10.4-3': 'Delivery of QoS 1 and 2 that has begun is completed after UNSUBSCRIBE.',
  '3.10.4-4': 'UNSUBSCRIBE is answered with UNSUBACK, with its packet id.',
  '3.10.4-5': 'UNSUBSCRIBE that deletes nothing is answered, too.',
  '3.10.4-6': 'Several filters in one UNSUBSCRIBE act as several UNSUBSCRIBEs with one UNSUBACK.',
  '3.12.4-1': 'PINGREQ is answered with PINGRESP.',
  '3.14.1-1': 'DISCONNECT with reserved bits that are not 0 disconnects the client.',
  '3.14.4-3': 'DISCONNECT discards the will.',
  '4.1.0-1': 'The state of a session is kept for as long as the session lasts.',
  '4.1.0-2': 'A session lasts at least as long as its connection.',
  '4.3.1-1': 'A QoS 0 message is sent with QoS 0 and DUP 0.',
  '4.3.2-1': 'A QoS 1 message is sent with an unused packet id, QoS 1 and DUP 0, and waits for its PUBACK.',
  '4.3.2-2': 'A QoS 1 message is answered with PUBACK once taken; the same packet id is then a new message.',
  '4.3.3-1': 'The sender of a QoS 2 message keeps to PUBLISH, PUBREC, PUBREL, PUBCOMP.',
  '4.3.3-2': 'The receiver of a QoS 2 message keeps to it, and passes a message on once.',
  '4.4.0-1':
    'After a reconnect with CleanSession 0, unacknowledged PUBLISHes and PUBRELs are sent again with their packet ids.',
  '4.5.0-1': 'A message that was taken is added to the session of each client with a matching subscription.',
  '4.6.0-1': 'PUBLISHes that are sent again come in their first order.',
  '4.6.0-5': 'Every topic is ordered unless configured otherwise.',
  '4.6.0-6': 'Messages of one client, topic and QoS reach a subscriber in the order in which they came.',
  '4.7.1-1': 'Wildcards are for filters, not for topic names.',
  '4.7.1-2': '# is the last character of a filter, alone or behind a separator.',
  '4.7.1-3': '+ takes a whole level of a filter.',
  '4.7.2-1': 'A filter that starts with a wildcard does not match topics that start with $.',
  '4.7.3-1': 'Topic names and filters have at least one character.',
  '4.7.3-2': 'Topic names and filters have no U+0000.',
  '4.7.3-3': 'Topic names and filters have at most 65535 bytes.',
  '4.7.3-4': 'Topic names and filters are matched as they are, without normalization.',
  '4.8.0-1': 'A protocol violation closes the connection.',
  '4.8.0-2': 'A transient error while a packet is processed closes the connection.',
  '6.0.0-1': 'Over WebSocket, packets come in binary frames; other ones close the connection.',
  '6.0.0-2': 'WebSocket frames and packets need not be aligned.',
  '6.0.0-4': 'The WebSocket subprotocol is mqtt.',
  '7.0.0-1': 'A server that connects to other servers conforms as a client, too.',
  '7.0.0-2': 'No extension is needed in order to interoperate.',
  '7.1.1-1': 'The transport is an ordered, lossless stream of bytes.'
}

/** Ids of statements that bind clients alone; a test may name them for what a server does about it. */
export const OF_CLIENTS: readonly string[] = [
  '2.3.1-2',
  '2.3.1-3',
  '3.1.0-1',
  '3.1.2-23',
  '3.1.3-7',
  '3.14.4-1',
  '3.14.4-2',
  '4.5.0-2',
  '4.6.0-2',
  '4.6.0-3',
  '4.6.0-4',
  '6.0.0-3',
  '7.1.2-1'
]

/** Reason to the ids that wait for it; what the session core does for them already does not count before the whole is there. */
export const NOT_YET: Readonly<Record<string, readonly string[]>> = {
  wills: ['3.1.2-8', '3.1.2-10', '3.1.2-16', '3.1.2-17', '3.14.4-3'],
  'QoS 2': ['4.3.3-1', '4.3.3-2'],
  WebSocket: ['6.0.0-1', '6.0.0-2', '6.0.0-4'],
  'connections to other MQTT servers, which nobody asked for': ['7.0.0-1']
}

/** Folders, and files of a folder, whose tests send bytes on a socket or packets into the packet stream or the session core. */
const SHOWING: readonly RegExp[] = [
  /^test\/conformance\//,
  /^test\/interop\//,
  /^test\/plugin\/gateway\//,
  /^test\/plugin\/session\//
]

/** Of these, files that do not, or that show a refusal. */
const NOT_SHOWING: readonly string[] = [
  'test/conformance/not-yet.test.ts',
  'test/plugin/gateway/inbox.test.ts',
  'test/plugin/session/packet-ids.test.ts'
]

/** Whether tests of the file, a path from the root of the project with slashes, count as showing a statement. */
export function shows(file: string): boolean {
  return SHOWING.some(each => each.test(file)) && !NOT_SHOWING.includes(file)
}

/** Ids of statements of MQTT 3.1.1 in the title of a test. */
export function statementsOf(title: string): string[] {
  return [...title.matchAll(/\[MQTT3-([\d.-]+)\]/g)].map(([, id = '']) => id)
}
