#!/usr/bin/env python3
"""A source that loses nothing: it moves on only when Spoolway has said that the event is on disk.

    - name: feed
      type: exec
      command: [python3, ./feed.py, /var/log/something.log]
"""
import json
import sys
import time

path = sys.argv[1]
place = path + ".place"  # how far it got: survives a restart


def load():
    try:
        with open(place) as file:
            return int(file.read())
    except FileNotFoundError:
        return 0


def deliver(text, offset):
    print(json.dumps({"text": text, "conversation_id": path, "key": [path, str(offset)], "ack": str(offset)}), flush=True)
    for line in sys.stdin:
        answer = json.loads(line)
        if str(offset) in (answer.get("delivered"), answer.get("refused")):
            return
        if "send" in answer:
            print(json.dumps({"failed": answer["send"]["id"], "fate": "reject", "code": "not_supported",
                              "message": "this one only reads"}), flush=True)
    sys.exit(0)  # stdin was closed: the sign to stop


with open(path, "rb") as log:
    log.seek(load())
    while True:
        line = log.readline()
        if not line.endswith(b"\n"):
            log.seek(-len(line), 1)
            time.sleep(1)
            continue
        deliver(line.decode("utf-8", "replace").rstrip("\n"), log.tell())
        with open(place, "w") as file:
            file.write(str(log.tell()))
