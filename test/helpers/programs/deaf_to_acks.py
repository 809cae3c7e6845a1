# Wants an ack for every event and reads none of them.
import json
n = 0
while True:
    n += 1
    print(json.dumps({"text": "x", "conversation_id": "c", "ack": str(n) + "." * 200}))
