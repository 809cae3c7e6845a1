#!/usr/bin/env python3
"""Echo bot: what is sent to it comes back as an event. Needs nothing but Python 3.

    - name: echo
      type: exec
      command: [python3, ./echo.py]
"""
import json
import sys


def say(line):
    # flush: Python keeps what goes into a pipe until it has 8 KB of it.
    print(json.dumps(line), flush=True)


say({"ready": True})
print("ready for messages", file=sys.stderr, flush=True)  # stderr goes to the log

for line in sys.stdin:  # ends when Spoolway closes it: the sign to stop
    line = json.loads(line)
    if "send" not in line:
        continue  # {"delivered": ack} or {"refused": ack}
    message = line["send"]
    if message["action"] != "message":
        say({"failed": message["id"], "code": "not_supported", "fate": "reject",
             "message": "this bot knows no " + message["action"]})
        continue
    # Here it would go to the platform; the answer comes when the platform has it.
    say({"sent": message["id"], "platform_id": "echo-" + message["id"]})
    say({
        "text": message.get("text", ""),
        "conversation_id": message["conversation_id"],
        "sender": {"id": "echo", "is_bot": True},
        "key": ["echo", message["id"]],  # the same event, should the message come twice
    })
