"""send.py CONNECTOR CONVERSATION TEXT [FILE]: drops a message, with a file if you like, and waits for what becomes of it."""
import json, os, pathlib, shutil, sys, time, uuid

spool = pathlib.Path(os.environ.get("SPOOLWAY_HOME", ".")) / "spool"
connector, conversation, text, *files = sys.argv[1:]
outbox = spool / "outbox" / connector
message = {"id": str(uuid.uuid4()), "conversation_id": conversation, "text": text, "attachments": []}

beside = []
for file in files:  # the file first, then the drop that names it
    copy = outbox / f"{message['id']}-{pathlib.Path(file).name}"
    shutil.copyfile(file, copy)
    beside.append(copy)
    message["attachments"].append({"path": copy.name, "name": pathlib.Path(file).name})

temporary = outbox / f".{message['id']}.tmp"
temporary.write_text(json.dumps(message), encoding="utf-8")
drop = outbox / f"{message['id']}.json"
os.replace(temporary, drop)

for _ in range(150):
    if beside and not drop.exists():  # accepted: the bytes are in media/, the copies are ours to remove
        for copy in beside:
            copy.unlink()
        beside = []
    for folder in ("sent", "failed"):
        record = spool / folder / connector / f"{message['id']}.json"
        if record.exists():
            what = json.loads(record.read_text(encoding="utf-8"))
            print(folder, what.get("platform_id", what.get("error", "")))
            sys.exit(0 if folder == "sent" else 1)
    time.sleep(0.2)
print("it waits as", message["id"], file=sys.stderr)
sys.exit(3)
