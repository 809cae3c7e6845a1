# Answers as the text of a message says: "late 2", "never", "twice", "wrong id", "reject", "stop", "rate", "no json", "exit 5", "eof", "close stdin"; else sent.
import json, os, sys, time
def say(line):
    print(json.dumps(line), flush=True)
seen = []
while True:
    line = sys.stdin.readline()
    if not line:
        break
    message = json.loads(line).get("send")
    if not message:
        say({"text": "heard " + line.strip(), "conversation_id": "acks"})
        continue
    id, text = message["id"], message.get("text", "")
    seen.append(id)
    if text.startswith("late"):
        time.sleep(float(text.split()[1]))
    if text == "never":
        continue
    if text == "twice":
        say({"sent": id, "platform_id": 1})
    if text == "wrong id":
        say({"sent": "not-" + id})
    if text == "reject":
        say({"failed": id, "fate": "reject", "code": "too_rude", "message": "we do not say that here"})
        continue
    if text == "stop":
        say({"failed": id, "fate": "stop", "code": "unauthorized", "message": "the token was revoked"})
        continue
    if text == "rate":
        say({"failed": id, "fate": "rate_limited", "retry_after_s": 1.5})
        continue
    if text.startswith("exit"):
        os._exit(int(text.split()[1]))
    if text == "eof":
        os.close(1)
        time.sleep(1000)
    if text == "close stdin":
        say({"sent": id})
        os.close(0)
        time.sleep(1000)
    say({"sent": id, "platform_id": "p-" + id})
say({"text": "goodbye after " + str(len(seen)), "conversation_id": "c"})
