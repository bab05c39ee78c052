"""An MQTT client made of paho-mqtt. It reads one JSON request a line on stdin, and answers each with one JSON line on
stdout: {"result": ...} or {"error": "..."}; what it receives is a line {"message": ...}. Ends when stdin does."""

import json
import sys
import threading

import paho.mqtt.client as mqtt

TIMEOUT_S = 8


class Client:
    def __init__(self):
        self.client = None
        self.answers = {}
        self.holding = False
        self.lock = threading.Lock()

    def connect(self, port, client_id, clean):
        self.client = mqtt.Client(client_id=client_id, clean_session=clean)
        self.client.on_connect = lambda _c, _u, flags, code: self.answer(
            "connack", {"present": flags["session present"] == 1, "code": code}
        )
        self.client.on_subscribe = lambda _c, _u, mid, granted: self.answer(mid, list(granted))
        self.client.on_message = self.on_message
        self.client.connect("127.0.0.1", port, keepalive=30)
        self.client.loop_start()
        return self.wait("connack")

    def subscribe(self, topic, qos):
        _, mid = self.client.subscribe(topic, qos)
        return self.wait(mid)

    def publish(self, topic, payload, qos, retain):
        info = self.client.publish(topic, payload, qos=qos, retain=retain)
        info.wait_for_publish(TIMEOUT_S)
        return info.is_published()

    def hold(self):
        """From now on it does not get to the end of what it does with a message, and so acknowledges none."""
        self.holding = True

    def disconnect(self):
        self.client.disconnect()
        self.client.loop_stop()

    def on_message(self, _client, _userdata, message):
        say(
            {
                "message": {
                    "topic": message.topic,
                    "payload": message.payload.decode(),
                    "qos": message.qos,
                    "retain": message.retain == 1,
                    "dup": message.dup == 1,
                    "packetId": message.mid,
                }
            }
        )
        if self.holding:
            threading.Event().wait()

    def answer(self, key, value):
        with self.lock:
            event, _ = self.answers.get(key, (threading.Event(), None))
            self.answers[key] = (event, value)
        event.set()

    def wait(self, key):
        with self.lock:
            event, _ = self.answers.setdefault(key, (threading.Event(), None))
        if not event.wait(TIMEOUT_S):
            raise TimeoutError(f"no answer {key}")
        return self.answers.pop(key)[1]


output = threading.Lock()


def say(line):
    with output:
        print(json.dumps(line), flush=True)


def main():
    client = Client()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            say({"result": getattr(client, request["call"])(**request["arguments"])})
        except Exception as error:  # what a library throws is an answer of its own
            say({"error": f"{type(error).__name__}: {error}"})


main()
