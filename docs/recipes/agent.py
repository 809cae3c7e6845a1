"""Answers people wherever they write: mail, Telegram, any connector. It knows none of them; `reply` says where an answer goes."""
import json, os, pathlib, time

home = pathlib.Path(os.environ.get("SPOOLWAY_HOME", "."))
spool, done, notes = home / "spool", home / "done", home / "notes"
done.mkdir(exist_ok=True)
notes.mkdir(exist_ok=True)


def think(event, who, memory):
    """Put your model here. This one remembers what it was told: `note milk`, then `notes`."""
    text = event["content"]["text"]
    command, _, rest = text.strip().partition(" ")
    if command.lower() == "note":
        memory[event["id"]] = rest  # by the event's id: seen again, it is the same note
        return f"Noted, {who}."
    if command.lower() == "notes":
        return "\n".join(memory.values()) or "Nothing noted yet."
    return f"Hello {who}. Say `note something`, or `notes`."


def is_for_us(event):
    sender = event.get("sender", {})
    by_people = not sender.get("is_self") and not sender.get("is_bot")  # two bots would talk for ever
    return event["kind"] == "message" and "reply" in event and event.get("content", {}).get("text") and by_people


def answer(event):
    sender = event["sender"]
    who = sender.get("display_name") or sender.get("username") or sender["id"]
    page = notes / (event["id"] + ".json")  # what a crash may make us do twice must end the same
    book = notes / (sender["id"].encode().hex()[:200] + ".book")
    if not page.exists():
        memory = json.loads(book.read_text()) if book.exists() else {}
        words = think(event, who, memory)
        write(page, {"text": words, "memory": memory})
    result = json.loads(page.read_text(encoding="utf-8"))
    write(book, result["memory"])
    message = {**event["reply"], "id": "re-" + event["id"], "text": result["text"]}
    write(spool / "outbox" / event["reply"]["connector"] / (message["id"] + ".json"), message)


def write(path, value):
    """Under another name first: nobody can see half of it."""
    temporary = path.parent / ("." + path.name + ".tmp")
    temporary.write_text(json.dumps(value), encoding="utf-8")
    os.replace(temporary, path)


while True:
    for path in sorted(spool.glob("inbox/*.json")):
        event = json.loads(path.read_text(encoding="utf-8"))
        if is_for_us(event):
            answer(event)
        os.replace(path, done / path.name)
        (notes / (event["id"] + ".json")).unlink(missing_ok=True)
    time.sleep(0.5)
