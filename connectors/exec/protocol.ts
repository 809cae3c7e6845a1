// What a line of the program's stdout says. schema/exec-line.schema.json is the specification.
import type { SendResult, SpoolwayError } from "spoolway/sdk";
import type { Delivery } from "spoolway/sdk/deliveries";
import { draftWithFiles } from "spoolway/sdk/program/draft-files";
import { failureKeys, failureOf } from "spoolway/sdk/program/failure";
import { invalidLine, isObject, onlyKeys, requiredField, textField } from "spoolway/sdk/program/json-line";

export type Said =
  | { type: "event"; draft: Delivery["draft"]; ack: string | number | undefined }
  | { type: "answer"; id: string; answer: SendResult | SpoolwayError }
  | { type: "ready" };

/** What a line's value means; paths in it are relative to `cwd`. Throws a SpoolwayError that says what was expected. */
export function understand(value: unknown, cwd: string): Said {
  if (!isObject(value)) {
    throw invalidLine('expected an object such as {"text": "hi", "conversation_id": "#dev"}');
  }
  if ("sent" in value) {
    onlyKeys(value, "sent", "platform_id");
    const platformId = textField(value, "platform_id");
    const answer = platformId === undefined ? {} : { platform_id: platformId };
    return { type: "answer", id: requiredField(value, "sent"), answer };
  }
  if ("failed" in value) {
    onlyKeys(value, "failed", ...failureKeys);
    return { type: "answer", answer: failureOf(value), id: requiredField(value, "failed") };
  }
  if ("ready" in value) {
    onlyKeys(value, "ready");
    if (value.ready !== true) throw invalidLine("ready: expected true");
    return { type: "ready" };
  }
  const { ack, ...fields } = value;
  if (ack !== undefined && typeof ack !== "string" && typeof ack !== "number") {
    throw invalidLine("ack: expected a string");
  }
  return { type: "event", draft: draftWithFiles(fields, cwd), ack };
}
