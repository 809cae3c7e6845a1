// spoolway/sdk/program/failure: why a message was not sent, as a program or a service says it in JSON, as the error that decides the message's fate:
//
//   {"code": "too_long", "message": "at most 500 characters", "fate": "reject", "retry_after_s": 30, "hint": "…"}
import { type Fate, SpoolwayError } from "../../sdk.ts";
import { type Fields, invalidLine, textField } from "./json-line.ts";

/** What to do, where it is not said. */
const hints: Readonly<Record<Fate, string>> = {
  retry: "Look at the program's log lines (program.stderr); it is tried again by itself.",
  rate_limited: "Nothing: it goes on when the platform allows.",
  reconnect: "Nothing: the program is started again and the message is sent then.",
  reject: "The program refused the message. Change it, then: spoolway failed retry",
  uncertain: "Look on the platform whether it is there.",
  stop: "Correct what the program complains about; saving connectors.yml starts it again.",
};
const isFate = (value: unknown): value is Fate => typeof value === "string" && Object.hasOwn(hints, value);
const maxCodeChars = 100;
const maxErrorChars = 2000;

/** The keys that failureOf reads; all are optional. */
export const failureKeys = ["code", "message", "fate", "retry_after_s", "hint"];

/** The error; without a fate it is a retry. Throws invalid_line for a wrong type or an unknown fate. */
export function failureOf(fields: Fields): SpoolwayError {
  const fate = fields.fate ?? "retry";
  if (!isFate(fate)) throw invalidLine(`fate: expected one of ${Object.keys(hints).join(", ")}`);
  const after = fields.retry_after_s ?? undefined;
  if (after !== undefined && !(typeof after === "number" && after >= 0)) {
    throw invalidLine("retry_after_s: expected seconds, 0 or more");
  }
  const code = textField(fields, "code") ?? "send_failed";
  const message = textField(fields, "message") ?? "the program gave no reason";
  return new SpoolwayError(code.slice(0, maxCodeChars), message.slice(0, maxErrorChars), {
    fate,
    hint: (textField(fields, "hint") ?? hints[fate]).slice(0, maxErrorChars),
    ...(after === undefined ? {} : { retryAfterMs: after * 1000 }),
  });
}
