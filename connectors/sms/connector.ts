// SMS through the file spool of gammu-smsd. In: a file of inbox is an event, and taken away then. Out: a file in outbox, whose name is made of the message's id, so that it is there once:
//
//   written ─▶ outbox ─smsd─▶ sent: the network has it      error: not this time, and moved to error/.done
import { createHash } from "node:crypto";
import { join, resolve } from "node:path";
import { type Context, defineConnector, type Outgoing, reconnect, reject, retry, sleep } from "spoolway/sdk";
import { toSpoolwayError } from "spoolway/sdk";
import { dropFile } from "spoolway/sdk/folder/drop-file";
import type { Entry } from "spoolway/sdk/folder/scan";
import { FolderWatch, folderGone, type Outcome } from "spoolway/sdk/folder/watch";
import { plainTextOf } from "spoolway/sdk/text/plain-text";
import { openUnchanged, signatureOf, statOf } from "spoolway/sdk/folder/regular-file";
import { setAside, takeAway } from "spoolway/sdk/folder/set-aside";
import { smsParts } from "spoolway/sdk/text/sms-parts";
import { openUserFolder } from "spoolway/sdk/folder/user-folder";
import type { Config } from "./manifest.d.ts";
import { isWhole, partsOf, toDraft } from "./received.ts";

/** smsd writes a file in one go. One that is not whole after this never will be. */
const settleMs = 2000;
const lookMs = 100;
/** 50 parts, which is what smsd can take, are a tenth of it. */
const fileMaxBytes = 1n << 20n;
const use = {
  recursive: false,
  write: true,
  ifMissing:
    "Install gammu-smsd, or set folder to the one that holds inbox, outbox, sent and error, as its configuration names them.",
  ifDenied: "Let the user that runs spoolway read and write there: Set-up, Rights in the connector's README.",
};

interface Spool {
  inbox: string;
  outbox: string;
  sent: string;
  error: string;
}

export default defineConnector<Config, Spool>({
  async connect(ctx) {
    const root = resolve(ctx.home, ctx.config.folder);
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
      early: () => true,
      take: (entry, settled) => take(entry, settled, inbox, ctx),
      forget: async () => undefined,
    }).run(),

  async send({ outbox, sent, error }, message, ctx) {
    const names = namesOf(message, ctx.config);
    for (let isOurs = false; ; isOurs = true) {
      // At the first attempt nothing can be ours yet: what is there has the same id by chance, or of a year ago.
      if (isOurs || ctx.attempt > 1) {
        // ORDER: smsd moves a file from outbox, so whoever looks there first finds it in one of the others.
        while ((await find(outbox, names)) !== undefined) {
          if (ctx.signal.aborted)
            throw reconnect(`gammu-smsd has not sent it: it waits in ${outbox}`, {
              hint: "Is gammu-smsd running, and its phone connected? See its log.",
            });
          await sleep(lookMs, ctx.signal);
        }
        const failed = await find(error, names);
        if (failed !== undefined) {
          await takeAway(error, failed.name, failed.signature, "move"); // so that the next try is a new one
          throw retry(`gammu-smsd could not send it: it moved it to ${error}`, {
            hint: "gammu-smsd's log says why.",
          });
        }
        const done = await find(sent, names);
        if (done !== undefined) return { platform_id: done.name };
        if (isOurs) throw await vanished(outbox, sent);
      }
      await dropFile(outbox, names[0], toFile(message, ctx.config));
    }
  },

  /** What is still there is found by send. Nowhere: it may have been sent long ago, and sent been cleaned. */
  async reconcile({ outbox, sent, error }, message, ctx) {
    const names = namesOf(message, ctx.config);
    if ((await find(outbox, names)) !== undefined) return "not_sent";
    const done = await find(sent, names);
    if (done !== undefined) return { platform_id: done.name };
    return (await find(error, names)) === undefined ? undefined : "not_sent";
  },
});

/** An event, and then taken away; what is none is put aside with the reason. A crash in between finds the same file with the same key. */
async function take(
  { name, path, signature, refusal, size }: Entry,
  settled: boolean,
  inbox: string,
  ctx: Context<Config>,
): Promise<Outcome> {
  try {
    if (refusal !== undefined) throw reject(`${name}: ${refusal}`, "not_a_file");
    if (size > fileMaxBytes) throw reject(`${name}: ${size} bytes are no SMS`, "too_large");
    const handle = await openUnchanged(path, signature);
    if (handle === undefined) return "gone";
    const file = await handle.readFile("utf8").finally(() => handle.close());
    if (!settled && !isWhole(file, partsOf(file))) return "later";
    const [inode, bytes, mtime] = signature.split("-"); // not the time of change: moving it changes that
    await ctx.deliver(toDraft(file, name, [name, `${inode}-${bytes}-${mtime}`]));
  } catch (thrown) {
    const error = toSpoolwayError(thrown);
    // The next file will be as unreadable as this: all of them wait until somebody mends it.
    if (error.code === "unreadable") throw reconnect(error.message, { hint: use.ifDenied });
    if (error.fate !== "reject") throw error;
    ctx.log.warn("file.refused", { file: name, code: error.code, error: error.message, hint: error.hint });
    await setAside(inbox, name, error);
    return "gone";
  }
  await takeAway(inbox, name, signature, ctx.config.after);
  return "gone";
}

/**
 * The name tells smsd the priority (C), the number, and (d) to ask for a report; the note at its end is the message's own. The second is what it was called before
 * delivery_reports was changed.
 */
function namesOf({ id, conversation_id: number }: Outgoing, { delivery_reports }: Config): [string, string] {
  const hint = "Write the number with its country, without spaces: +4915112345678.";
  if (!/^\+?\d{3,20}$/.test(number)) throw reject(`${number}: no phone number`, "invalid_number", { hint });
  const note = createHash("sha256").update(id).digest("hex").slice(0, 32);
  const name = `OUTC0_0_0_${number}_${note}.txt`;
  return delivery_reports ? [`${name}d`, name] : [name, `${name}d`];
}

function toFile(message: Outgoing, { max_parts }: Config): Buffer {
  // A NUL would end the text there for smsd.
  const text = plainTextOf(message, "SMS").toWellFormed().replaceAll("\0", "\ufffd");
  const parts = smsParts(text);
  if (parts > max_parts) throw reject(`it takes ${parts} parts, of at most ${max_parts}`, "too_large");
  return Buffer.from(`\ufeff${text}`, "utf16le"); // by the mark smsd knows it as Unicode
}

async function find(
  folder: string,
  names: string[],
): Promise<{ name: string; signature: string } | undefined> {
  for (const name of names) {
    const stats = await statOf(join(folder, name));
    if (stats !== undefined) return { name, signature: signatureOf(stats, true) };
  }
  return undefined;
}

/** Not "uncertain", by which it would be written again: each try may be another SMS, and who removed the file may have meant it. */
async function vanished(outbox: string, sent: string): Promise<Error> {
  if ((await statOf(outbox)) === undefined) return folderGone(outbox);
  return reject(`somebody took it out of ${outbox}, and it is not in ${sent}`, "outcome_unknown", {
    hint: `Was it removed by hand? If not: sentsmspath in gammu-smsd's configuration has to be ${sent}/. To send it again: spoolway failed retry`,
  });
}
