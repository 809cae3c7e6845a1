# Prints everything but the protocol, with an event before, between and after, then half a line that nobody ends.
import json, sys
out = sys.stdout.buffer
def event(text):
    out.write(json.dumps({"text": text, "conversation_id": "c"}).encode() + b"\n")
out.write(b"\xef\xbb\xbf")  # a BOM at the start is fine
event("first")
out.write(b"hello world\n")
out.write(b"\xff\xfe\x00garbage\xc3\x28\n")
out.write(b'["a", "list"]\n42\nnull\n"text"\n')
out.write(b'{"text": 5}\n')
out.write(b'{"txt": "misspelt"}\n')
out.write(b'{"sent": {"id": 1}}\n{"failed": "x", "fate": "maybe"}\n{"sent": "nobody asked"}\n')
out.write(b'{"text": "a", "text": "b"}\n{"__proto__": {"polluted": true}}\n')
out.write(b"[" * 100000 + b"\n")
out.write(b'{"text": "' + b"x" * (3 << 20) + b'"}\n')
out.write(b"\n   \n\t\r\n")  # empty lines mean nothing
out.write(json.dumps({"text": "with \u00fc and \\n", "conversation_id": 9007199254740993, "sender": 7}).encode() + b"\r\n")
event("last")
out.write(b'{"text": "half a li')
out.flush()
sys.stdin.read()
