// An outgoing message as lines for a console.
//
//     me: hello              <conversation>: <first line>
//       | second line        further lines, and the rest of a line that is longer than maxLineLength
//       | [file a.pdf: media/3f…]
import { type Outgoing, printable } from "spoolway/sdk";

/** Below what a log keeps of a line (8192 bytes), whatever the characters. */
const maxLineLength = 2000;

/** Ends in a newline. No text of the message can look like a line of another one, nor like JSON. */
export function asLines(message: Outgoing): string {
  const lines = [...bodyOf(message), ...filesOf(message)].flatMap((text) => printable(text).split("\n"));
  const [first = "", ...more] = lines.flatMap(cut);
  return [`${label(message.conversation_id)}: ${first}`, ...more.map((line) => `  | ${line}`), ""].join("\n");
}

/** The conversation, its beginning if it is long, in quotes where it could be taken for something else. */
function label(conversation: string): string {
  const plain = printable(conversation.length > 200 ? `${conversation.slice(0, 200)}…` : conversation);
  return /^[\s{["]|\n|: /.test(plain) ? JSON.stringify(plain) : plain;
}

function bodyOf(message: Outgoing): string[] {
  const target = message.target?.platform_id ?? "?";
  const subject = message.subject === undefined ? [] : [`[${message.subject}]`];
  const text = message.text === undefined ? [] : [message.text];
  switch (message.action) {
    case "message":
      return [...subject, ...text];
    case "edit":
      return [`* edits ${target}`, ...text];
    case "delete":
      return [`* deletes ${target}`];
    case "react":
      return [`* reacts ${message.reaction ?? message.text ?? ""} to ${target}`];
    case "typing":
      return ["* is typing"];
  }
}

function filesOf(message: Outgoing): string[] {
  return (message.attachments ?? []).map(
    (file) => `[file ${file.name ?? file.path.split("/").at(-1)}: ${file.path}]`,
  );
}

/** A line in pieces of at most maxLineLength; never through the middle of a character. */
function cut(line: string): string[] {
  const pieces: string[] = [];
  let from = 0;
  while (line.length - from > maxLineLength) {
    const code = line.charCodeAt(from + maxLineLength - 1);
    const to = from + maxLineLength - (code >= 0xd800 && code <= 0xdbff ? 1 : 0);
    pieces.push(line.slice(from, to));
    from = to;
  }
  return [...pieces, line.slice(from)];
}
