// spoolway/sdk/calendar/own-versions: which versions of the things on a server are our own doing, so that they can be told from other people's (is_self). Kept across restarts, bounded.
//
//   nothing ──our change begins──▶ "*" ──the server names the version, or the next one is read──▶ that version
//      ▲──────────it failed────────│
import { type State, toSpoolwayError } from "../../sdk.ts";
import { Recent } from "../recent.ts";

/** Under way, or done without a word of which version it became. */
const any = "*";

export class OwnVersions {
  readonly #noted: Recent<string>;
  readonly #underway = new Map<string, Promise<unknown>>();

  private constructor(noted: Recent<string>) {
    this.#noted = noted;
  }

  static async open(state: State, max = 1000): Promise<OwnVersions> {
    return new OwnVersions(await Recent.open<string>(state, "own", max));
  }

  /** Waits for a change of ours that is under way: what is read meanwhile may be somebody else's, who was faster. */
  async isOwn(path: string, version: string): Promise<boolean> {
    await this.#underway.get(path);
    const noted = this.#noted.get(path);
    // Only this one: the next is somebody else's.
    if (noted === any) await this.#noted.note(path, version);
    return noted === any || noted === version;
  }

  /** `change` resolves with the version, where the server says it. `again`: an earlier try may have done it already, and been read since. */
  async during(path: string, again: boolean, change: () => Promise<string | undefined>): Promise<void> {
    const work = this.#during(path, again, change);
    // Of a failure its own caller hears.
    const end = work.catch(() => undefined);
    this.#underway.set(path, end);
    try {
      await work;
    } finally {
      if (this.#underway.get(path) === end) this.#underway.delete(path);
    }
  }

  async #during(path: string, again: boolean, change: () => Promise<string | undefined>): Promise<void> {
    const before = this.#noted.get(path);
    await this.#noted.note(path, any);
    try {
      const version = await change();
      if (version !== undefined || again) await this.#noted.note(path, version ?? before ?? any);
    } catch (error) {
      // What certainly was not done makes nobody else's change ours.
      if (toSpoolwayError(error).fate !== "uncertain") await this.#noted.note(path, before);
      throw error;
    }
  }
}
