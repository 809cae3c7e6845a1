// What a line of the program's stdout says. schema/exec-line.schema.json is the specification.
import { type Draft, draftFromShorthand, type Fate, parseJson, SpoolwayError } from "spoolway/sdk";

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

type Fields = Record<string, unknown>;

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

/** Reads one line; undefined for an empty one. Throws a SpoolwayError that says what was expected. */
export function readLine(bytes: Uint8Array): Said | undefined {
  if (bytes.every((byte) => byte === 0x20 || byte === 0x09)) return undefined;
  const value = parseJson(bytes);
  if (!isObject(value)) {
    throw invalid('expected an object such as {"text": "hi", "conversation_id": "#dev"}');
  }
  if ("sent" in value) return readSent(value);
  if ("failed" in value) return readFailed(value);
  if ("ready" in value) return readReady(value);
  return readEvent(value);
}

function readSent(value: Fields): Said {
  only(value, ["sent", "platform_id"]);
  const platformId = value.platform_id ?? undefined;
  return {
    type: "sent",
    id: text(value, "sent"),
    platformId: platformId === undefined ? undefined : text(value, "platform_id"),
  };
}

function readFailed(value: Fields): Said {
  only(value, ["failed", "code", "message", "fate", "retry_after_s", "hint"]);
  const fate = value.fate ?? "retry";
  if (!isFate(fate)) throw invalid(`fate: expected one of ${Object.keys(hints).join(", ")}`);
  const after = value.retry_after_s ?? undefined;
  if (after !== undefined && !(typeof after === "number" && after >= 0)) {
    throw invalid("retry_after_s: expected seconds, 0 or more");
  }
  const code = value.code == null ? "send_failed" : text(value, "code");
  const message = value.message == null ? "the program gave no reason" : text(value, "message");
  const hint = value.hint == null ? hints[fate] : text(value, "hint");
  const error = new SpoolwayError(code.slice(0, 100), message.slice(0, maxErrorChars), {
    fate,
    hint: hint.slice(0, maxErrorChars),
    ...(after === undefined ? {} : { retryAfterMs: after * 1000 }),
  });
  return { type: "failed", id: text(value, "failed"), error };
}

function readReady(value: Fields): Said {
  only(value, ["ready"]);
  if (value.ready !== true) throw invalid("ready: expected true");
  return { type: "ready" };
}

function readEvent(value: Fields): Said {
  const { ack = undefined, ...fields } = value;
  if (ack !== undefined && typeof ack !== "string" && typeof ack !== "number") {
    throw invalid("ack: expected a string");
  }
  const files: AttachedFile[] = [];
  if (isObject(fields.content) && Array.isArray(fields.content.attachments)) {
    const attachments = fields.content.attachments.map((item: unknown, index) => {
      if (!isObject(item) || item.path === undefined) return item;
      const { path, ...rest } = item;
      if (typeof path !== "string" || path === "")
        throw invalid(`content.attachments[${index}].path: expected a path`);
      files.push({ index, path });
      return { name: path.split("/").at(-1), ...rest };
    });
    fields.content = { ...fields.content, attachments };
  }
  return { type: "event", draft: draftFromShorthand(fields), ack, files };
}

/** A string, or a whole number as one. */
function text(value: Fields, key: string): string {
  const given = value[key];
  if (typeof given === "string") return given;
  if (Number.isSafeInteger(given)) return String(given);
  throw invalid(`${key}: expected a string`);
}

function only(value: Fields, keys: string[]): void {
  const strange = Object.keys(value).find((key) => !keys.includes(key));
  if (strange !== undefined)
    throw invalid(`unknown key ${JSON.stringify(strange)}: expected ${keys.join(", ")}`);
}

const isObject = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function invalid(message: string): SpoolwayError {
  return new SpoolwayError("invalid_line", message, { fate: "reject" });
}
