# A connector for a small chat server (test/contract/exec.test.ts): lines of JSON over TCP on one side, Spoolway on the other.
# Uses the Python standard library and nothing else.
import base64, json, os, socket, sys, threading

def say(line):
    with lock:
        print(json.dumps(line), flush=True)

lock = threading.Lock()
server = socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=10)
server.settimeout(None)
lines = server.makefile("r", encoding="utf-8")

def tell(line):
    server.sendall((json.dumps(line) + "\n").encode())

tell({"token": os.environ["TOKEN"]})
if json.loads(lines.readline() or '{"welcome": null}').get("welcome") is False:
    print("the server does not know this token", file=sys.stderr)
    sys.exit(100)  # only a person can help
say({"ready": True})

def receive():
    for line in lines:
        line = json.loads(line)
        if "said" in line:
            content = {"text": line["text"]} if "text" in line else {}
            if "file" in line:
                with open(line["said"], "wb") as file:
                    file.write(base64.b64decode(line["file"]))
                content["attachments"] = [{"name": line["name"], "path": line["said"]}]
            say({
                "key": [line["conversation"], line["said"]],
                "ack": line["said"],
                "platform_id": line["said"],
                "conversation": {"id": line["conversation"], "type": "channel"},
                "sender": {"id": line["user"], "is_self": line["user"] == "bot"},
                "content": content,
            })
        elif "accepted" in line:
            say({"sent": line["accepted"], "platform_id": line["as"]})
        elif "refused" in line:
            say({"failed": line["refused"], "code": "forbidden", "message": line["why"], "fate": "reject"})
    os._exit(1)  # the server is gone: Spoolway starts this program again

threading.Thread(target=receive, daemon=True).start()
for line in sys.stdin:
    line = json.loads(line)
    if "delivered" in line:
        tell({"got": line["delivered"]})
    elif "send" in line:
        message = line["send"]
        files = [
            {"name": item["name"], "file": base64.b64encode(open(item["path"], "rb").read()).decode()}
            for item in message.get("attachments", [])
        ]
        tell({"id": message["id"], "conversation": message["conversation_id"], "text": message.get("text", ""), "files": files})
