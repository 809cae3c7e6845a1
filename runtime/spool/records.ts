// Records: what Spoolway writes about an outgoing message. Built here, validated on write and on read.
import type { AttemptRecord, DeadLetter, OutgoingMessage, Receipt, RetryRecord } from "../../schema/types.ts";
import * as validators from "../../schema/validators/messages.js";
import type { Validator } from "../../schema/validators/messages.js";
import { hintFor, SpoolwayError } from "../errors.ts";

/** A message that was accepted, with all that is known of it: what sending/ and retry/ hold. */
export interface Accepted {
  id: string;
  /** How many times sending was begun. */
  attempts: number;
  /** Attempts that count, since it was dropped or redriven. */
  budgetUsed: number;
  message: OutgoingMessage;
  history: AttemptRecord[];
  /** File name it was dropped under, where known. */
  drop: string | undefined;
  acceptedAt: string;
  contentSha256: string | undefined;
}

/** More tries than anything ever makes; beyond 2^53 they could not be counted up any more, and from 1e21 on not be written in a name. */
export const attemptsMax = 1_000_000_000;

const year10000Ms = Date.UTC(10_000, 0, 1);

/** The schema sees the form of a time only; hour 29, or what has no name in retry/ (year 10000), would never come. */
export function impossibleTime(message: OutgoingMessage): string | undefined {
  for (const key of ["not_before", "expires_at"] as const) {
    const text = message[key];
    if (text !== undefined && !(Date.parse(text) < year10000Ms))
      return `${key}: ${text} is no time that can come`;
  }
  return undefined;
}

/** The history in a record is the newest of this many: a message that waits for weeks must not grow without end. */
const historyMax = 50;

function base(connector: string, entry: Accepted) {
  return {
    version: 1 as const,
    id: entry.id,
    connector,
    attempts: entry.attempts,
    ...(entry.drop === undefined ? {} : { drop: entry.drop }),
    ...(entry.history.length === 0 ? {} : { history: entry.history.slice(-historyMax) }),
    ...(entry.contentSha256 === undefined ? {} : { content_sha256: entry.contentSha256 }),
  };
}

export function receiptOf(
  connector: string,
  entry: Accepted,
  result: { platform_id?: string | undefined; platform_ids?: string[] | undefined; reconciled?: boolean },
): Receipt {
  const { platform_id, platform_ids, reconciled } = result;
  return checked<Receipt>(validators.receipt, {
    record: "receipt",
    ...base(connector, entry),
    action: entry.message.action ?? "message",
    conversation_id: entry.message.conversation_id,
    accepted_at: entry.acceptedAt,
    sent_at: new Date().toISOString(),
    ...(platform_id === undefined ? {} : { platform_id: String(platform_id) }),
    ...(platform_ids === undefined ? {} : { platform_ids: platform_ids.map(String) }),
    ...(reconciled ? { reconciled } : {}),
    ...(entry.message.meta === undefined ? {} : { meta: entry.message.meta }),
  });
}

export function retryRecordOf(
  connector: string,
  entry: Accepted,
  dueMs: number,
  why?: SpoolwayError,
): RetryRecord {
  return checked<RetryRecord>(validators.retry, {
    record: "retry",
    ...base(connector, entry),
    due_at: new Date(dueMs).toISOString(),
    accepted_at: entry.acceptedAt,
    budget_used: entry.budgetUsed,
    ...(why === undefined ? {} : { code: why.code, error: why.message }),
    message: entry.message,
  });
}

export function deadLetterOf(
  connector: string,
  entry: Accepted,
  why: { code: string; message: string; hint?: string },
): DeadLetter {
  return checked<DeadLetter>(validators.deadLetter, {
    record: "dead_letter",
    ...base(connector, entry),
    failed_at: new Date().toISOString(),
    code: why.code,
    error: why.message,
    hint: why.hint ?? hintFor(why.code),
    message: entry.message,
  });
}

/** A dead letter for something that never became a message. */
export function refusalOf(
  connector: string,
  fields: Omit<DeadLetter, "record" | "version" | "connector" | "failed_at" | "attempts" | "hint">,
): DeadLetter {
  return checked<DeadLetter>(validators.deadLetter, {
    record: "dead_letter",
    version: 1,
    connector,
    attempts: 0,
    failed_at: new Date().toISOString(),
    hint: hintFor(fields.code),
    ...fields,
  });
}

function checked<T>(validator: Validator, value: unknown): T {
  if (!validator(value)) throw new Error(`a record that the schema does not allow: ${explain(validator)}`);
  return value as T;
}

/** The first error of a validator that just returned false, in words. */
export function explain(validator: Validator): string {
  const error = validator.errors?.[0];
  if (error === undefined) return "unknown error";
  const where = error.instancePath === "" ? "" : `${error.instancePath.slice(1).replaceAll("/", ".")}: `;
  const { additionalProperty, allowedValues } = error.params as {
    additionalProperty?: string;
    allowedValues?: unknown[];
  };
  if (additionalProperty !== undefined) return `${where}unknown key ${JSON.stringify(additionalProperty)}`;
  if (allowedValues !== undefined) return `${where}must be one of ${allowedValues.join(", ")}`;
  return `${where}${error.message ?? error.keyword}`;
}
