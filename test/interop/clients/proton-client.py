"""An AMQP client made of Qpid Proton's Python binding. It reads one JSON request a line on stdin, and answers each
with one JSON line on stdout: {"result": ...} or {"error": "...", "kind": "..."}. Ends when stdin does."""

import json
import sys
import uuid

from proton import Delivery, Message, int32, timestamp, ulong
from proton.utils import BlockingConnection

TIMEOUT_S = 8

# Bodies by name, as a Python program makes them; `inferred` turns bytes into a data section and a list into a sequence.
BODIES = {
    "none": dict(),
    "data": dict(body=b"data \x00\xff", inferred=True),
    "binary": dict(body=b"binary \x00\xff"),
    "string": dict(body="string \u00e4\u20ac\U0001f600"),
    "int": dict(body=int32(-7)),
    "ulong": dict(body=ulong(18446744073709551615)),
    "double": dict(body=1.5),
    "true": dict(body=True),
    "list": dict(body=[1, "two", None, False]),
    "map": dict(body={"a": 1, "b": [2]}),
    "sequence": dict(body=[1, "two"], inferred=True),
    "timestamp": dict(body=timestamp(0)),
    "uuid": dict(body=uuid.UUID("00112233-4455-6677-8899-aabbccddeeff")),
}


class Client:
    def __init__(self):
        self.connection = None
        self.senders = {}
        self.receivers = {}

    def connect(self, url, **options):
        self.connection = BlockingConnection(url, timeout=TIMEOUT_S, **options)

    def send(self, address, body="none", **fields):
        sender = self.senders.get(address)
        if sender is None:
            sender = self.senders[address] = self.connection.create_sender(address)
        message = Message(**{**fields, **BODIES[body]})
        return outcome(sender.send(message, error_states=[]))

    def request(self, address, subject, correlation_id, body=None, reply_to=None):
        """A request to the Subscription Service, as a Python program would write it."""
        sender = self.senders.get(address)
        if sender is None:
            sender = self.senders[address] = self.connection.create_sender(address)
        message = Message(body, subject=subject, correlation_id=correlation_id, reply_to=reply_to)
        return outcome(sender.send(message, error_states=[]))

    def attach(self, address, credit=10):
        self.receivers[address] = self.connection.create_receiver(address, credit=credit)

    def receive(self, address, timeout=TIMEOUT_S):
        receiver = self.receivers[address]
        message = receiver.receive(timeout=timeout)
        receiver.accept()
        return describe(message)

    def detach(self, address):
        self.receivers.pop(address).close()

    def close(self):
        self.senders.clear()
        self.receivers.clear()
        connection, self.connection = self.connection, None
        connection.close()


def outcome(delivery):
    """The name of a delivery's outcome, with the condition of a rejection."""
    state = delivery.remote_state
    condition = delivery.remote.condition
    if state == Delivery.REJECTED and condition is not None:
        return {"state": "rejected", "condition": condition.name, "description": condition.description}
    return {"state": str(state).lower()}


def describe(message):
    """The message with each value beside the name of its AMQP type."""
    return {
        "address": message.address,
        "subject": message.subject,
        "durable": message.durable,
        "correlationId": message.correlation_id,
        "replyTo": message.reply_to,
        "inferred": message.inferred,
        "annotations": {str(key): typed(value) for key, value in (message.annotations or {}).items()},
        "properties": {key: typed(value) for key, value in (message.properties or {}).items()},
        "body": typed(message.body),
    }


def typed(value):
    name = type(value).__name__
    if isinstance(value, (bytes, memoryview)):
        return ["binary", bytes(value).hex()]
    if isinstance(value, dict):
        return [name, {str(key): item for key, item in value.items()}]
    return [name, value if isinstance(value, (bool, int, float, str, list, type(None))) else str(value)]


def main():
    client = Client()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = {"result": getattr(client, request["call"])(**request["arguments"])}
        except Exception as error:  # what a library throws is an answer of its own
            answer = {"error": str(error), "kind": type(error).__name__}
        print(json.dumps(answer), flush=True)


main()
