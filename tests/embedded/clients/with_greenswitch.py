# SPDX-License-Identifier: Apache-2.0
"""greenswitch against a switch with one parked call: `with_greenswitch.py HOST PORT PASSWORD UUID SOUND`, says what it saw as JSON."""

import json
import sys

import gevent
from gevent.event import Event
from greenswitch import InboundESL


def main() -> None:
    host, port, password, uuid, sound = sys.argv[1:6]
    said = {}
    try:
        InboundESL(host=host, port=int(port), password="wrong").connect()
    except ValueError as error:
        said["wrong password"] = str(error)
    client = InboundESL(host=host, port=int(port), password=password)
    client.connect()
    seen = []
    came = Event()

    def note(event: object) -> None:
        seen.append(event.headers)  # type: ignore[attr-defined]
        came.set()

    client.register_handle("*", note)

    def wait(name: str, **wanted: str) -> dict:  # type: ignore[type-arg]
        with gevent.Timeout(10):
            while True:
                for headers in seen:
                    if headers.get("Event-Name") == name and all(headers.get(k.replace("_", "-")) == v for k, v in wanted.items()):
                        return headers
                came.clear()
                came.wait()

    said["event"] = client.send("event plain ALL").headers["Reply-Text"]
    said["filter"] = client.send(f"filter Unique-ID {uuid}").headers["Reply-Text"]
    client.send("filter Event-Name BACKGROUND_JOB")
    said["status"] = "session(s) since startup" in client.send("api status").data
    said["claim"] = client.send(f"api sched_del {uuid}").data
    job = client.send("bgapi echo green").headers["Job-UUID"]
    said["job"] = wait("BACKGROUND_JOB", Job_UUID=job)["Job-Command"]

    def execute(application: str, argument: str = "") -> dict:  # type: ignore[type-arg]
        run = f"run-{application}"
        client.send(
            f"sendmsg {uuid}\ncall-command: execute\nexecute-app-name: {application}\nexecute-app-arg: {argument}\n"
            f"Event-UUID: {run}\nevent-lock: true"
        )
        return wait("CHANNEL_EXECUTE_COMPLETE", Application_UUID=run)

    execute("answer")
    said["answered"] = wait("CHANNEL_ANSWER")["Answer-State"]
    said["played"] = execute("playback", sound)["Application-Response"]
    execute("hangup", "USER_BUSY")
    said["cause"] = wait("CHANNEL_HANGUP_COMPLETE")["Hangup-Cause"]
    said["strangers"] = sorted({h.get("Unique-ID", "") for h in seen} - {uuid, ""})
    client.stop()
    said["stopped"] = not client.connected
    sys.stdout.write(json.dumps(said) + "\n")


main()
