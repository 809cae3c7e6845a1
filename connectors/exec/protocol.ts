// What a line of the program's stdout says. schema/exec-line.schema.json is the specification.
import { type Draft, draftFromShorthand, type Fate, SpoolwayError } from "spoolway/sdk";
import { type Fields, invalidLine, isObject, onlyKeys, requiredField, textField } from "spoolway/sdk/json-line";

export type Said =
  | { type: "event"; draft: Draft; ack: string | number | undefined; files: AttachedFile[] }
  | { type: "sent"; id: string; platformId: string | undefined }
  | { type: "failed"; id: string; error: SpoolwayError }
  | { type: "ready" };

/** An attachment whose bytes are in a file of the program's: they are streamed, whatever their size. */
export interface AttachedFile {
  index: number;
  path: string;
}

/** What to do, where the program does not say it. */
const hints: Readonly<Record<Fate, string>> = {
  retry: "Look at the program's log lines (program.stderr); it is tried again by itself.",
  rate_limited: "Nothing: it goes on when the platform allows.",
  reconnect: "Nothing: the program is started again and the message is sent then.",
  reject: "The program refused the message. Change it, then: spoolway failed retry",
  uncertain: "Look on the platform whether it is there.",
  stop: "Correct what the program complains about; saving connectors.yml starts it again.",
};
const isFate = (value: unknown): value is Fate => typeof value === "string" && Object.hasOwn(hints, value);
const maxErrorChars = 2000;

/** What a line's value means. Throws a SpoolwayError that says what was expected. */
export function understand(value: unknown): Said {
  if (!isObject(value)) {
    throw invalidLine('expected an object such as {"text": "hi", "conversation_id": "#dev"}');
  }
  if ("sent" in value) {
    onlyKeys(value, "sent", "platform_id");
    return { type: "sent", id: requiredField(value, "sent"), platformId: textField(value, "platform_id") };
  }
  if ("failed" in value) return { type: "failed", id: requiredField(value, "failed"), error: failure(value) };
  if (!("ready" in value)) return readEvent(value);
  onlyKeys(value, "ready");
  if (value.ready !== true) throw invalidLine("ready: expected true");
  return { type: "ready" };
}

function failure(value: Fields): SpoolwayError {
  onlyKeys(value, "failed", "code", "message", "fate", "retry_after_s", "hint");
  const fate = value.fate ?? "retry";
  if (!isFate(fate)) throw invalidLine(`fate: expected one of ${Object.keys(hints).join(", ")}`);
  const after = value.retry_after_s ?? undefined;
  if (after !== undefined && !(typeof after === "number" && after >= 0)) {
    throw invalidLine("retry_after_s: expected seconds, 0 or more");
  }
  const code = textField(value, "code") ?? "send_failed";
  const message = textField(value, "message") ?? "the program gave no reason";
  return new SpoolwayError(code.slice(0, 100), message.slice(0, maxErrorChars), {
    fate,
    hint: (textField(value, "hint") ?? hints[fate]).slice(0, maxErrorChars),
    ...(after === undefined ? {} : { retryAfterMs: after * 1000 }),
  });
}

function readEvent(value: Fields): Said {
  const { ack, ...fields } = value;
  if (ack !== undefined && typeof ack !== "string" && typeof ack !== "number") {
    throw invalidLine("ack: expected a string");
  }
  const files: AttachedFile[] = [];
  if (isObject(fields.content) && Array.isArray(fields.content.attachments)) {
    const attachments = fields.content.attachments.map((item: unknown, index) => {
      if (!isObject(item) || item.path === undefined) return item;
      const { path, ...rest } = item;
      if (typeof path !== "string" || path === "")
        throw invalidLine(`content.attachments[${index}].path: expected a path`);
      files.push({ index, path });
      return { name: path.split("/").at(-1), ...rest };
    });
    fields.content = { ...fields.content, attachments };
  }
  return { type: "event", draft: draftFromShorthand(fields), ack, files };
}
