// spoolway/sdk/mail/imap-part: the bytes of a part of a mail, as imapflow downloads them. What the server does not give out rejects with `unavailable`, so that it does not hold up
// the mails behind it:
//
//   NO, BAD, nothing                              unavailable at once: it would be the same the next time
//   the connection is lost, or NO, but only now   reconnect; unavailable when that has happened five times at the same part, since a server may break at it each time
import { type Context, reconnect, reject } from "../../sdk.ts";
import { type ImapError, isPassing } from "./imap-fate.ts";
import type { MailPart } from "./parts.ts";

export interface PartSource {
  readonly usable: boolean;
  download(
    uid: string,
    part: string,
    options: { uid: true; chunkSize: number; maxBytes: number },
  ): Promise<{ content?: AsyncIterable<unknown> | undefined }>;
}

/** Of the one mail at which the folder stands: several of its parts may be bad. */
interface Breaks {
  mail: string;
  /** By part. */
  times: Record<string, number>;
}

/** Larger ones make fewer round trips and a larger process. */
const chunkSize = 128 * 1024;
const maxBreaks = 5;

/** `place`: the folder, and what identifies the mail in it. */
export async function* imapPart(
  client: PartSource,
  { state, signal, log }: Pick<Context, "state" | "signal" | "log">,
  { folder, uidvalidity, uid }: { folder: string; uidvalidity: string; uid: number },
  { part = "1", size = 0 }: MailPart,
  maxBytes = Infinity,
): AsyncGenerator<Uint8Array> {
  const [key, mail] = [`breaks:${folder}`, `${uidvalidity} ${uid}`];
  const known = await state.get<Breaks>(key);
  const times = known?.mail === mail ? known.times : {};
  const tried = times[part] ?? 0;
  const refuse = (why: string): Error => {
    log.warn("attachment.unavailable", { folder, uid, part, error: why });
    return reject(
      `the IMAP server does not give out part ${part} of ${uid} in ${folder}: ${why}`,
      "unavailable",
    );
  };
  if (tried >= maxBreaks) throw refuse(`it has failed ${tried} times`);
  try {
    const { content } = await client.download(String(uid), part, { uid: true, chunkSize, maxBytes });
    if (content === undefined && size > 0) throw new Error("nothing came");
    if (content !== undefined) yield* content as AsyncIterable<Uint8Array>;
  } catch (error) {
    const { code, message, responseText: words = message } = error as ImapError;
    if (client.usable && code !== "ETHROTTLE" && !isPassing(error as ImapError)) throw refuse(words);
    if (!signal.aborted) await state.set(key, { mail, times: { ...times, [part]: tried + 1 } });
    // Named, or the spool would take the network's ECONNRESET for one of its own disk's errors.
    throw reconnect(`could not fetch part ${part} of ${uid} in ${folder}: ${words}`, { cause: error });
  }
}
