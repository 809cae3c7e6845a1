# Writes argv[1] MiB to stderr as fast as it can, with and without newlines, and works all the while.
import json, sys, threading

def flood():
    block = (b"x" * 99 + b"\n") * 5000 + b"y" * 548576
    for _ in range(int(sys.argv[1])):
        sys.stderr.buffer.write(block)
    print(json.dumps({"text": "flood over", "conversation_id": "c"}), flush=True)

threading.Thread(target=flood, daemon=True).start()
for line in sys.stdin:
    message = json.loads(line).get("send")
    if message:
        print(json.dumps({"sent": message["id"]}), flush=True)
