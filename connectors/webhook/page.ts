// A small chat page for the first two minutes: what is typed is posted, what is dropped into the outbox appears. Loopback and scheme none only.
// Texts are set as textContent, never as HTML; the content security policy allows this one script and this one server.
import { randomBytes } from "node:crypto";
import type { OutgoingHttpHeaders } from "node:http";
import type { Settings } from "./config.ts";

/** The page and the nonce of its script. `name` and `base` hold only characters that are safe in HTML (see their patterns). */
export function renderPage(name: string, { base }: Settings): { html: string; nonce: string } {
  const nonce = randomBytes(16).toString("base64");
  return {
    nonce,
    html: html.replaceAll("@NONCE@", nonce).replaceAll("@NAME@", name).replaceAll("@BASE@", base),
  };
}

export const pageHeaders = (nonce: string): OutgoingHttpHeaders => ({
  "content-type": "text/html; charset=utf-8",
  "content-security-policy":
    `default-src 'none'; script-src 'nonce-${nonce}'; style-src 'nonce-${nonce}'; connect-src 'self'; ` +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "referrer-policy": "no-referrer",
});

const html = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>@NAME@ · Spoolway</title>
<style nonce="@NONCE@">
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 42rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
  ol { list-style: none; padding: 0; min-height: 12rem; }
  li { margin: .4rem 0; padding: .4rem .8rem; border-radius: .8rem; background: #eef; white-space: pre-wrap; width: fit-content; }
  li.mine { margin-left: auto; background: #dfd; }
  li.note { background: none; color: #888; font-size: .85rem; }
  form { display: flex; gap: .5rem; }
  input { flex: 1; font: inherit; padding: .4rem .8rem; }
  button { font: inherit; }
  code { background: #f4f4f4; padding: .1rem .3rem; overflow-wrap: anywhere; }
</style>
<body data-base="@BASE@">
<h1>@NAME@</h1>
<p>What you write becomes a file in <code>spool/inbox</code>. Answer from a shell:</p>
<p><code>echo '{"conversation_id":"page","text":"hi"}' &gt; spool/outbox/@NAME@/1.json</code></p>
<ol aria-live="polite"></ol>
<form><input name="text" aria-label="Message" autocomplete="off" autofocus><button>Send</button></form>
<script nonce="@NONCE@">
  const base = document.body.dataset.base;
  const conversation = "page";
  const seen = new Set();
  const show = (text, kind) => {
    const item = document.createElement("li");
    item.textContent = text;
    if (kind) item.className = kind;
    document.querySelector("ol").append(item);
    item.scrollIntoView();
  };
  const source = new EventSource(base + "stream?conversation_id=" + encodeURIComponent(conversation));
  source.onmessage = ({ data }) => {
    const message = JSON.parse(data);
    if (message.action === "typing" || seen.has(message.id)) return;
    seen.add(message.id);
    const mark = message.action === "message" ? "" : "[" + message.action + "] ";
    show(mark + (message.text ?? message.reaction ?? ""));
  };
  document.querySelector("form").onsubmit = async (event) => {
    event.preventDefault();
    const input = event.target.elements.text;
    const text = input.value;
    if (text === "") return;
    input.value = "";
    try {
      const response = await fetch(base, {
        method: "POST",
        headers: { "content-type": "application/json", "idempotency-key": crypto.randomUUID() },
        body: JSON.stringify({ text, conversation_id: conversation, sender: "page" }),
      });
      const answer = await response.json();
      if (!response.ok) throw new Error(answer.error.message);
      show(text, "mine");
    } catch (error) {
      input.value = text;
      show("not sent: " + error.message, "note");
    }
  };
</script>
`;
