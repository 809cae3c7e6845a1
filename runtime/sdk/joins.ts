// spoolway/sdk/joins: rooms to come into, on a platform that may refuse it for now: each is tried again after a while, each reason is logged once. Invites are followed by
// policy; those of others are left open and logged.
import { type Context, sleep, toSpoolwayError } from "../sdk.ts";

const everyMs = 60_000;
const lookEveryMs = 500;

export class Joins {
  readonly #join: (room: string) => Promise<unknown>;
  readonly #log: Context["log"];
  readonly #welcome: readonly string[];
  readonly #waiting = new Map<string, { dueMs: number; why?: string }>();

  /** `welcome`: whose invites are followed: "@ada:example.org" or "ada@example.org", everybody of "example.org", or "*". */
  constructor(
    { log }: Pick<Context, "log">,
    join: (room: string) => Promise<unknown>,
    welcome: readonly string[],
  ) {
    this.#join = join;
    this.#log = log;
    this.#welcome = welcome;
  }

  want(...rooms: readonly string[]): void {
    for (const room of rooms) if (!this.#waiting.has(room)) this.#waiting.set(room, { dueMs: 0 });
  }

  /** Somebody invited us. */
  invited(room: string, by: string): void {
    const from = [by, by.replace(/^@?[^:@]*[:@]/, ""), "*"];
    if (this.#welcome.some((one) => from.includes(one))) return this.want(room);
    const hint = "To follow it, add who invited to accept_invites.";
    this.#log.warn("invite.ignored", { room, by, hint });
  }

  /** The invite was taken back, or somebody put us out; `by` is who it was. */
  left(room: string, by: string | undefined): void {
    this.#waiting.delete(room);
    this.#log.warn("room.left", { room, by });
  }

  /** Runs until the signal aborts; beside what receives, since a room on a server that is gone takes long to say no. Throws as `run`. */
  async keepJoining(signal: AbortSignal): Promise<void> {
    for (; !signal.aborted; await sleep(lookEveryMs, signal)) await this.run();
  }

  /** Tries what is due. Throws only what concerns more than one room: stop, and a lost connection. */
  async run(): Promise<void> {
    for (const [room, { dueMs, why }] of [...this.#waiting]) {
      if (performance.now() < dueMs) continue;
      try {
        await this.#join(room);
        this.#waiting.delete(room);
      } catch (thrown) {
        const { fate, message, hint, retryAfterMs = 0 } = toSpoolwayError(thrown);
        if (fate === "stop" || fate === "reconnect") throw thrown;
        if (message !== why) this.#log.warn("room.join_failed", { room, error: message, hint });
        // Unless the invite was taken back meanwhile.
        if (this.#waiting.has(room))
          this.#waiting.set(room, {
            dueMs: performance.now() + Math.max(everyMs, retryAfterMs),
            why: message,
          });
      }
    }
  }
}
