#!/usr/bin/env python3
"""A session of a pure AMQP client, with Qpid Proton: what MQTT calls a persistent session, without MQTT.

    amqp-session.py list ID                    does the session exist, and what is it subscribed to? Creates it if there is none.
    amqp-session.py subscribe ID FILTER [QOS]  publications that match go into the session's queue, retained ones first
    amqp-session.py receive ID [COUNT]         prints what the queue has, a line of JSON each; ends after COUNT, or 1 s of silence
    amqp-session.py unsubscribe ID FILTER
    amqp-session.py close ID                   removes the session with all it has
    amqp-session.py retained TOPIC             prints the retained message of a topic, if there is one

The server is at AMQP_URL, amqp://127.0.0.1:5672 by default; a user goes into the URL: amqp://user:password@host:port.
docs/amqp-clients.md says what the addresses and messages mean.
"""

import json
import os
import string
import sys
import urllib.parse

from proton import Message, Timeout, ulong
from proton.utils import BlockingConnection, LinkDetached

SERVICE = "$mqtt.subscriptionservice"
SILENCE_S = 1
PLAIN = string.ascii_letters + string.digits + "_-"


def client_address(client_id, kind):
    """An address of the client: bytes of its id that are not plain are percent-encoded."""
    encoded = "".join(
        chr(byte) if chr(byte) in PLAIN else f"%{byte:02X}" for byte in client_id.encode()
    )
    return f"$mqtt.to.{encoded}.{kind}"


def request(connection, client_id, subject, body=None, **properties):
    """Sends a request to the Subscription Service; its outcome is the answer."""
    message = Message(
        body=body, subject=subject, correlation_id=client_address(client_id, "publish"), **properties
    )
    sender = connection.create_sender(SERVICE)
    delivery = sender.send(message, error_states=[])
    if delivery.remote_state != delivery.ACCEPTED:
        condition = delivery.remote.condition
        sys.exit(f"{subject}: {condition.name}: {condition.description}" if condition else f"{subject}: no")


def topic_of(message):
    """Where it was published: the origin that a broker noted goes before `to`."""
    annotations = message.annotations or {}
    return annotations.get("x-opt-ORIG-ADDRESS") or message.address


def text_of(body):
    if isinstance(body, (bytes, bytearray, memoryview)):
        return bytes(body).decode(errors="replace")
    return body if isinstance(body, str) else json.dumps(body, default=str)


def show(message):
    annotations = message.annotations or {}
    print(
        json.dumps(
            {
                "topic": topic_of(message),
                "payload": text_of(message.body),
                "qos": int(annotations.get("x-opt-mqtt-qos", 1 if message.durable else 0)),
                "retained": bool(annotations.get("x-opt-mqtt-retained", False)),
            }
        ),
        flush=True,
    )


def receive(receiver, count=None, timeout=None):
    """Shows `count` messages, or fewer if `timeout` seconds pass without one; one that is not accepted comes again."""
    while count is None or count > 0:
        try:
            message = receiver.receive(timeout=timeout)
        except Timeout:
            return
        show(message)
        receiver.accept()
        count = None if count is None else count - 1


def list_session(connection, client_id):
    control = client_address(client_id, "control")
    replies = connection.create_receiver(control, credit=10)
    request(connection, client_id, "list", reply_to=control)
    while True:
        reply = replies.receive(timeout=10)
        replies.accept()
        if reply.subject == "subscriptions":
            break
    filters = {topic_filter: int(qos) for topic_filter, qos in reply.body.items()}
    print(json.dumps({"present": reply.properties["session-present"], "filters": filters}))


def main(command, name, *rest):
    url = urllib.parse.urlsplit(os.environ.get("AMQP_URL", "amqp://127.0.0.1:5672"))
    connection = BlockingConnection(url.geturl(), timeout=10, allowed_mechs=None if url.username else "ANONYMOUS")
    try:
        if command == "list":
            list_session(connection, name)
        elif command == "subscribe":
            topic_filter, qos = rest[0], rest[1] if len(rest) > 1 else "1"
            request(connection, name, "subscribe", {topic_filter: qos}, id=ulong(1))
        elif command == "receive":
            queue = connection.create_receiver(client_address(name, "publish"), credit=20)
            if rest:
                receive(queue, count=int(rest[0]))
            else:
                receive(queue, timeout=SILENCE_S)
        elif command == "unsubscribe":
            request(connection, name, "unsubscribe", [rest[0]], id=ulong(1))
        elif command == "close":
            request(connection, name, "close")
        elif command == "retained":
            receive(connection.create_receiver(f"$retain.{name}", credit=1), count=1, timeout=SILENCE_S)
        else:
            sys.exit(__doc__)
    except LinkDetached as detached:
        sys.exit(f"{command}: {detached}")
    finally:
        connection.close()


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
