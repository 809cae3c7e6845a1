// What a connector's process and its guest say to each other over the channel. The guest is not trusted: what comes from it goes through unpack.ts.
//
//   host:  init ──▶ guest loads the connector ──▶ hello (its functions) or broken
//   host:  call ──▶ … ──▶ result       abort: the signal of a call, or of a session
//   guest: ask ──▶ answer              deliver, get, set, delete
//   host:  pull ──▶ chunk | end        one piece of an attachment that a deliver brought; drop: no more of it
//   host:  ping ──▶ pong               a guest whose loop is stuck does not answer
import { SpoolwayError } from "../errors.ts";
import type { Outgoing } from "../sdk.ts";

/** The functions of a connector that can be called through the channel. */
export const functions = ["connect", "receive", "send", "sync", "probe", "reconcile", "close"] as const;
export type FunctionName = (typeof functions)[number];

/** What the guest has to know; nothing else of the configuration reaches it. */
export interface Init {
  name: string;
  type: string;
  home: string;
  config: Record<string, unknown>;
  /** Absolute path of the module. */
  entry: string;
  /** Log lines of level debug are wanted. */
  debug: boolean;
}

export interface Call {
  id: number;
  fn: FunctionName;
  /** Given out by the host at connect. */
  session: number;
  message?: Outgoing;
  attempt?: number;
  mayHaveBeenSent?: boolean;
  since?: string;
  limit?: number;
}

export type ToGuest =
  | { t: "init"; init: Init }
  | ({ t: "call" } & Call)
  | { t: "abort"; call?: number; session?: number }
  | { t: "answer"; id: number; value?: unknown; error?: PackedError }
  | { t: "pull" | "drop"; stream: number }
  | { t: "ping" };

export type ToHost =
  | { t: "hello"; functions: string[] }
  | { t: "broken"; error: PackedError }
  | { t: "result"; id: number; value?: unknown; error?: PackedError }
  /** `call`: the sync that it belongs to. `value` of a set is JSON text; an attachment's data is {stream}. */
  | { t: "ask"; id: number; call?: number; what: AskName; draft?: unknown; key?: string; value?: string }
  | { t: "end"; stream: number; error?: PackedError }
  | { t: "log"; level: string; event: string; fields: Record<string, unknown> }
  | { t: "heard" | "pong" };

export const asks = ["deliver", "get", "set", "delete"] as const;
export type AskName = (typeof asks)[number];

/** At once in a good guest; the host ends one that has many more under way. */
export const maxAsks = 256;

export interface PackedError {
  message: string;
  /** Of a SpoolwayError: then there is a fate too. Of another error: the system's code. */
  code?: string;
  fate?: string;
  hint?: string;
  retryAfterMs?: number;
}

/** Any throw, for the other side. Causes and stacks stay where they are. */
export function packError(thrown: unknown): PackedError {
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  if (thrown instanceof SpoolwayError) {
    const { code, fate, hint, retryAfterMs } = thrown;
    return { message, code, fate, hint, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
  }
  const { code } = thrown instanceof Error ? (thrown as NodeJS.ErrnoException) : {};
  return { message, ...(typeof code === "string" ? { code } : {}) };
}
