# argv[1] events with an ack each, without waiting for any; then says how many acks came.
import json, sys, threading
count = int(sys.argv[1])
acks = []
def read():
    for line in sys.stdin:
        answer = json.loads(line)
        acks.append(answer)
        if len(acks) == count:
            refused = sum("refused" in a for a in acks)
            print(json.dumps({"text": f"acks {len(acks)} refused {refused}", "conversation_id": "acks"}), flush=True)
thread = threading.Thread(target=read)
thread.start()
for n in range(count):
    print(json.dumps({"text": str(n), "conversation_id": "c", "ack": str(n)}))
sys.stdout.flush()
thread.join()
