"""What a client made of Qpid Proton's Python binding sees of the listener at the port in argv: one JSON object on stdout."""

import json
import sys

from proton import Condition, ConnectionException, Message, symbol
from proton.reactor import Copy, LinkOption
from proton.utils import BlockingConnection, LinkDetached

URL = "127.0.0.1:" + sys.argv[1]
TIMEOUT_S = 8
results = {}


class Settled(LinkOption):
    def apply(self, link):
        link.snd_settle_mode = 1


def refusal(attach):
    try:
        attach()
    except LinkDetached as error:
        return error.condition
    return "not refused"


def login(**options):
    try:
        BlockingConnection(URL, timeout=TIMEOUT_S, **options).close()
    except ConnectionException as error:
        return "Authentication failed" in str(error)
    return "in"


def drain(connection, receiver, credit):
    """How many came, and the credit that was left."""
    receiver.link.drain(credit)
    connection.wait(lambda: receiver.link.credit == 0, msg="drain")
    return [len(receiver.fetcher.incoming), receiver.link.credit]


connection = BlockingConnection(URL, timeout=TIMEOUT_S, allowed_mechs="ANONYMOUS")

sender = connection.create_sender("work", name="same")
receiver = connection.create_receiver("work", name="same", credit=10)
for i in range(5):
    sender.send(Message(body=i))
results["sameName"] = []
for i in range(5):
    results["sameName"].append(receiver.receive().body)
    receiver.accept()
sender.send(Message(body="again"))
receiver.receive()
receiver.release(delivered=True)
results["redelivered"] = receiver.receive().delivery_count
receiver.reject()
receiver.close()

for i in range(100):
    sender.send(Message(body=i, durable=True))
browser = connection.create_receiver("work", credit=0, options=Copy())
results["browsed"] = drain(connection, browser, 250)
results["browsedAgain"] = drain(connection, browser, 10)[1]
browser.close()
emptied = connection.create_receiver("work", credit=0, options=Settled())
results["emptied"] = drain(connection, emptied, 100)
emptied.close()

large = bytes(range(256)) * 20_000
topic = connection.create_receiver("large/#", credit=1)
connection.create_sender("large/message", options=Settled()).send(Message(body=large, inferred=True))
results["large"] = topic.receive().body == large
topic.accept()

replies = connection.create_receiver(None, dynamic=True)
relay = connection.create_sender(None)
relay.send(Message(address=replies.link.remote_source.address, body="reply"))
results["reply"] = replies.receive().body
replies.accept()

results["refusedSender"] = refusal(lambda: connection.create_sender("$mqtt.nothing"))
results["refusedReceiver"] = refusal(lambda: connection.create_receiver("$mqtt.nothing"))
results["stillThere"] = connection.create_sender("some/topic").send(Message(body="x")).remote_state == 36

retained = connection.create_receiver("$retain.some/topic", credit=0)
results["retained"] = drain(connection, retained, 5)
results["retainedBody"] = retained.receive().body
retained.accept()
results["retainedAgain"] = drain(connection, retained, 1)
retained.close()
results["refusedReader"] = refusal(lambda: connection.create_receiver("$retain.secret"))

for handle in range(50):
    connection.create_sender("many/%d" % handle).close()
    connection.create_receiver("many/%d" % handle).close()
connection.close()

beating = BlockingConnection(URL, timeout=TIMEOUT_S, heartbeat=1)
results["heartbeat"] = beating.conn.remote_container
beating.close()

results["plain"] = login(user="ann", password="secret", allowed_mechs="PLAIN")
results["wrong"] = login(user="ann", password="wrong", allowed_mechs="PLAIN")
results["unknown"] = login(user="nobody", password="secret", allowed_mechs="PLAIN")

json.dump({key: str(value) if isinstance(value, (symbol, Condition)) else value for key, value in results.items()}, sys.stdout)
