// Log lines of a guest: of bounded size and number, for it may write as many as it likes.
import type { Logger } from "../sdk.ts";
import { RateCap } from "../sdk/rate-cap.ts";
import { isObject, textIn, type Fields } from "./unpack.ts";

const linesPerSecond = 1000;
const maxBytes = 64 * 1024;
const maxEventChars = 100;

export class GuestLog {
  readonly #log: Logger;
  readonly #cap: RateCap;

  constructor(log: Logger) {
    this.#log = log;
    this.#cap = new RateCap(linesPerSecond, (suppressed) =>
      log.warn("log.suppressed", { lines: suppressed }),
    );
  }

  /** `bytes`: the size of the message. */
  write(message: Fields, bytes: number): void {
    const event = textIn(message, "event", maxEventChars);
    if (!this.#cap.allows()) return;
    const fields = isObject(message.fields) && bytes <= maxBytes ? message.fields : { cut: true };
    const { level } = message;
    if (level === "debug" || level === "warn" || level === "error") this.#log[level](event, fields);
    else this.#log.info(event, fields);
  }
}
