// SMS through the file spool of gammu-smsd. In: a file of inbox is an event, and taken away then. Out: a file in outbox, whose name is made of the message's id, so that it is there once:
//
//   written ─▶ outbox ─smsd─▶ sent: the network has it      error: refused, and moved to error/.done
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { type Context, defineConnector, type Outgoing, reconnect, reject, sleep, stop } from "spoolway/sdk";
import { toSpoolwayError, uncertain } from "spoolway/sdk";
import { dropFile } from "spoolway/sdk/drop-file";
import type { Entry } from "spoolway/sdk/folder-scan";
import { FolderWatch, type Outcome } from "spoolway/sdk/folder-watch";
import { plainTextOf } from "spoolway/sdk/plain-text";
import { signatureOf, statOf } from "spoolway/sdk/regular-file";
import { setAside, takeAway } from "spoolway/sdk/set-aside";
import { smsParts } from "spoolway/sdk/sms-parts";
import { openUserFolder } from "spoolway/sdk/user-folder";
import type { Config } from "./manifest.d.ts";
import { toDraft } from "./received.ts";

/** smsd writes a file of several parts in one go, but not at once. */
const settleMs = 1000;
const lookMs = 250;

interface Spool {
  inbox: string;
  outbox: string;
  sent: string;
  error: string;
}

export default defineConnector<Config, Spool>({
  async connect(ctx) {
    const root = resolve(ctx.home, ctx.config.folder);
    if ((await statOf(root)) === undefined) {
      const hint =
        "Install gammu-smsd, or set folder to the one that holds its inbox, outbox, sent and error.";
      throw stop(`there is no folder ${root}`, hint, "config_invalid");
    }
    const use = { recursive: false, write: true };
    const open = (name: string): Promise<string> => openUserFolder(ctx, join(root, name), use);
    const [inbox, outbox] = [await open("inbox"), await open("outbox")];
    return { inbox, outbox, sent: await open("sent"), error: await open("error") };
  },

  receive: ({ inbox }, ctx) =>
    new FolderWatch(inbox, ctx, {
      recursive: false,
      pattern: "IN*",
      settleMs,
      changeTime: true,
      early: () => false,
      take: (entry) => take(entry, inbox, ctx),
      forget: async () => undefined,
    }).run(),

  async send({ outbox, sent, error }, message, ctx) {
    const { name, bytes } = toFile(message, ctx.config);
    // ORDER: smsd moves a file from outbox, so whoever looks there first finds it in one of the others.
    for (let isOurs = false; ; isOurs = true) {
      while ((await statOf(join(outbox, name))) !== undefined) {
        if (ctx.signal.aborted)
          throw reconnect(`gammu-smsd has not sent it: it waits in ${outbox}`, {
            hint: "Is gammu-smsd running, and its phone on the network? See its log.",
          });
        await sleep(lookMs, ctx.signal);
      }
      if ((await statOf(join(sent, name))) !== undefined) return { platform_id: name };
      const failed = await statOf(join(error, name));
      if (failed !== undefined) {
        await takeAway(error, name, signatureOf(failed, true), "move"); // so that a retry by hand is a new try
        throw reject(`gammu-smsd could not send it: it moved it to ${error}`, "rejected", {
          hint: "gammu-smsd's log says why. Then: spoolway failed retry",
        });
      }
      if (isOurs) throw uncertain(`somebody took ${name} out of ${outbox}`);
      await dropFile(outbox, name, bytes);
    }
  },
});

/** An event, and then taken away; what is none is put aside with the reason. A crash in between finds the same file with the same key. */
async function take(entry: Entry, inbox: string, ctx: Context<Config>): Promise<Outcome> {
  const { name, path, signature, refusal } = entry;
  try {
    if (refusal !== undefined) throw reject(`${name}: ${refusal}`, "not_a_file");
    const [inode, size, mtime] = signature.split("-"); // not the time of change: moving it changes that
    await ctx.deliver(toDraft(await readFile(path, "utf8"), name, [name, `${inode}-${size}-${mtime}`]));
  } catch (thrown) {
    const error = toSpoolwayError(thrown);
    if (error.fate !== "reject") throw error;
    ctx.log.warn("file.refused", { file: name, code: error.code, error: error.message, hint: error.hint });
    await setAside(inbox, name, error);
    return "gone";
  }
  await takeAway(inbox, name, signature, ctx.config.after);
  return "gone";
}

/** The name tells smsd the priority (C), the number, and (d) to ask for a report; the note at its end is the message's own. */
function toFile(message: Outgoing, { delivery_reports, max_parts }: Config): { name: string; bytes: Buffer } {
  const { id, conversation_id: number } = message;
  const text = plainTextOf(message, "SMS");
  const hint = "Write the number with its country, without spaces: +4915112345678.";
  if (!/^\+?\d{3,20}$/.test(number)) throw reject(`${number}: no phone number`, "invalid_number", { hint });
  const parts = smsParts(text);
  if (parts > max_parts) throw reject(`it takes ${parts} parts, of at most ${max_parts}`, "too_large");
  const note = createHash("sha256").update(id).digest("hex").slice(0, 32);
  const name = `OUTC0_0_0_${number}_${note}.txt${delivery_reports ? "d" : ""}`;
  return { name, bytes: Buffer.from(`\ufeff${text}`, "utf16le") }; // by the mark smsd knows it as Unicode
}
