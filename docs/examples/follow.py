"""Prints every event once and takes nothing away. Goes on where it was, also after it was killed: what it had seen is in a file."""
import calendar, json, os, pathlib, sys, time

home = pathlib.Path(os.environ.get("SPOOLWAY_HOME", "."))
inbox = home / "spool" / "inbox"
memory = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "follow.json")
LOOK_BACK = 5  # seconds: names of several connectors may be a little out of order


def horizon(names):
    """Nothing older than this is looked at: the newest name's time, LOOK_BACK seconds earlier."""
    if not names:
        return ""
    newest = calendar.timegm(time.strptime(max(names)[:15], "%Y%m%dT%H%M%S"))
    return time.strftime("%Y%m%dT%H%M%S", time.gmtime(newest - LOOK_BACK))


seen = set(json.loads(memory.read_text())) if memory.exists() else set()
while True:
    since = horizon(seen)
    names = [name for name in os.listdir(inbox) if name.endswith(".json")]
    fresh = sorted(name for name in names if name >= since and name not in seen)
    for name in fresh:
        try:
            event = json.loads((inbox / name).read_text(encoding="utf-8"))
        except FileNotFoundError:
            continue  # another program took it away
        print(event["connector"]["instance"], event.get("content", {}).get("text"), flush=True)
        seen.add(name)
    if fresh:
        since = horizon(seen)
        seen = {name for name in seen if name >= since}
        temporary = memory.with_suffix(".tmp")
        temporary.write_text(json.dumps(sorted(seen)))
        os.replace(temporary, memory)
    time.sleep(0.5)
