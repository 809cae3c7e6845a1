// state/<name>/sandbox/: what a sandboxed connector has of the spool. It sees none of the rest.
//
//   home/   its own, writable     media/   the attachments of the messages that are being sent, read-only     run/   the runtime's sockets, read-only
//
// An attachment is lent by a second link to its file in media/: nothing is copied, and when the message is settled the link is taken back.
import { join } from "node:path";
import type { OutgoingAttachment } from "../../schema/types.ts";
import { errnoOf } from "../errors.ts";
import { linkExclusive, makeFolder, namesIn, remove } from "./disk.ts";
import type { SpoolPaths } from "./names.ts";

export interface SandboxPaths {
  home: string;
  media: string;
  run: string;
}

/** Makes the folders, and takes back what a killed process had lent. */
export async function prepareSandbox(paths: SpoolPaths): Promise<SandboxPaths> {
  const base = join(paths.state, "sandbox");
  const folders = { home: join(base, "home"), media: join(base, "media"), run: join(base, "run") };
  for (const folder of Object.values(folders)) makeFolder(folder);
  for await (const names of namesIn(folders.media))
    for (const name of names) remove(join(folders.media, name));
  return folders;
}

/** Lends attachments of messages; the same one may be part of several at once. */
export class Lender {
  readonly #from: string;
  readonly #to: string;
  readonly #lent = new Map<string, number>();

  constructor(paths: SpoolPaths, sandbox: SandboxPaths) {
    this.#from = paths.media;
    this.#to = sandbox.media;
  }

  /** Returns the function that takes them back. One that is gone is not lent: whoever opens it is told. */
  lend(attachments: readonly OutgoingAttachment[] = []): () => void {
    const names = attachments.flatMap(({ path }) => /^media\/([0-9a-f]{64})$/.exec(path)?.[1] ?? []);
    for (const name of names) this.#take(name);
    return () => {
      for (const name of names) this.#giveBack(name);
    };
  }

  #take(name: string): void {
    const count = this.#lent.get(name) ?? 0;
    this.#lent.set(name, count + 1);
    if (count > 0) return;
    try {
      linkExclusive(join(this.#from, name), join(this.#to, name));
    } catch (error) {
      if (errnoOf(error) !== "ENOENT") throw error;
    }
  }

  #giveBack(name: string): void {
    const count = (this.#lent.get(name) ?? 1) - 1;
    if (count > 0) return void this.#lent.set(name, count);
    this.#lent.delete(name);
    remove(join(this.#to, name));
  }
}
