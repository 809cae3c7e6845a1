// What a chat shows: messages on `out`; notes and errors there too in a terminal, above its prompt, and on `err` without one.
import type { Writable } from "node:stream";
import { styleText } from "node:util";
import type { OutgoingMessage } from "../../../schema/types.ts";
import type { SpoolwayError } from "../../errors.ts";
import { printable } from "../../printable.ts";

export interface ScreenOptions {
  out: Writable;
  err: Writable;
  isTerminal: boolean;
  color: boolean;
  /** One JSON object per line instead of text. */
  json: boolean;
}

export class Screen {
  private readonly options: ScreenOptions;
  /** The connector's, before its messages. */
  private readonly name: string;
  private redraw: (() => void) | undefined;

  constructor(options: ScreenOptions, name: string) {
    this.options = options;
    this.name = name;
  }

  /** From now on lines appear above a prompt, which `redraw` shows again. */
  above(redraw: (() => void) | undefined): void {
    this.redraw = redraw;
    redraw?.();
  }

  message(message: OutgoingMessage): void {
    const { json, isTerminal } = this.options;
    if (json) return this.line(JSON.stringify({ message }));
    const body = printable(bodyOf(message));
    if (!isTerminal) return this.line(body);
    this.line(body.replace(/^/gm, this.style("cyan", `${this.name} │ `)));
  }

  delivered(id: string): void {
    if (this.options.json) this.line(JSON.stringify({ delivered: id }));
  }

  note(text: string): void {
    if (this.options.isTerminal) this.line(this.style("dim", `— ${text}`));
    else this.options.err.write(`${text}\n`);
  }

  error({ code, message, hint }: SpoolwayError): void {
    const { json, isTerminal, err } = this.options;
    if (json) return this.line(JSON.stringify({ error: { code, message, hint } }));
    const text = `${this.style("red", "error:")} ${printable(message)}${hint === "" ? "" : `\nhint: ${printable(hint)}`}`;
    if (isTerminal && this.redraw !== undefined) this.line(text);
    else err.write(`${text}\n`);
  }

  private line(text: string): void {
    const { out } = this.options;
    if (this.redraw === undefined) {
      out.write(`${text}\n`);
      return;
    }
    out.write(`\r\x1b[J${text}\n`);
    this.redraw();
  }

  private style(format: "cyan" | "dim" | "red", text: string): string {
    return this.options.color ? styleText(format, text, { validateStream: false }) : text;
  }
}

function bodyOf(message: OutgoingMessage): string {
  const { action = "message", target, reaction, subject, text, attachments = [] } = message;
  const files = attachments.map((file) => `[file ${file.name ?? file.path}: ${file.path}]`);
  const what =
    action === "message" ? [] : [["*", action, target?.platform_id, reaction].filter(Boolean).join(" ")];
  const head = subject === undefined ? [] : [`[${subject}]`];
  return [...what, ...head, ...(text === undefined ? [] : [text]), ...files].join("\n");
}
