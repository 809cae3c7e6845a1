"""Answers every message, and puts its event away."""
import json, os, pathlib, time

home = pathlib.Path(os.environ.get("SPOOLWAY_HOME", "."))
spool = home / "spool"
done = home / "done"
done.mkdir(exist_ok=True)


def drop(connector, message):
    """Under another name first: nobody can see half of it."""
    outbox = spool / "outbox" / connector
    temporary = outbox / f".{message['id']}.tmp"
    temporary.write_text(json.dumps(message), encoding="utf-8")
    os.replace(temporary, outbox / f"{message['id']}.json")


while True:
    for path in sorted(spool.glob("inbox/*.json")):
        event = json.loads(path.read_text(encoding="utf-8"))
        text = event.get("content", {}).get("text")
        is_self = event.get("sender", {}).get("is_self", False)
        if event["kind"] == "message" and "reply" in event and text and not is_self:
            answer = {**event["reply"], "id": "re-" + event["id"], "text": "you said: " + text}
            drop(event["reply"]["connector"], answer)
        os.replace(path, done / path.name)
    time.sleep(0.5)
