// The outbox of a connector that cannot send: drops are counted, shown and left alone.
import { Backlog } from "../spool/backlog.ts";
import type { Depths } from "./beat.ts";
import type { Status } from "./status.ts";

const lookEveryMs = 30_000;

export class Unsendable {
  readonly #backlog: Backlog;
  readonly #timer: NodeJS.Timeout;

  constructor(folder: string, status: Status) {
    this.#backlog = new Backlog(folder, 1000);
    const look = async (): Promise<void> => {
      await this.#backlog.scan(() => false);
      if (this.#backlog.depth === 0 || status.userAction !== undefined) return;
      status.userAction = `This connector cannot send: move the ${this.#backlog.depth} files out of ${folder}.`;
    };
    const lookSafely = (): void => {
      look().catch((error: Error) => {
        status.userAction = `Look at ${folder}: ${error.message}`;
      });
    };
    lookSafely();
    this.#timer = setInterval(lookSafely, lookEveryMs);
  }

  get depths(): Depths {
    const { depth, unclaimed, oldestMs } = this.#backlog;
    return { outbox_depth: depth, retry_depth: 0, in_flight: 0, unclaimed, oldestMs };
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
