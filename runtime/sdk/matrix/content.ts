// spoolway/sdk/matrix/content: the content of a message of Matrix, read and written: text, HTML, files, answers, threads, mentions, edits.
//
// Reading: who is in a room may put anything there, so nothing is taken for what it should be.
import type { Draft, Outgoing, SendContext } from "../../sdk.ts";
import { beforehand, type JsonApi, path } from "../http/api.ts";
import type { MatrixSession } from "./sync.ts";
import { mediaType } from "../media-type.ts";
import { mentions } from "../text/mentions.ts";
import { isElsewhere, remoteFile } from "../http/remote-file.ts";
import { richTexts } from "../text/rich-text.ts";
import { jsonBytes } from "../text/split.ts";
import { countOf, listOf, objectOf, textAt, textOf } from "../untrusted.ts";
import { fileBody, fileName } from "../http/upload.ts";

/** Of an event of 65536 bytes, which has more in it than the text. */
const maxTextBytes = 60_000;
const userIds = /(?<![\w.])@[\w.=/+-]+:[\w.-]+\w(:\d+)?/g;
/** Only these signs, as the specification wants it: others could make another path of the API of it. */
const mxcUrl = /^mxc:\/\/([\w.:[\]-]*[\w\]])\/([\w-]+)$/;

type Said = Pick<Draft, "thread_id" | "reply_to" | "mentions_me" | "content">;
export type Content = Record<string, unknown> & { body: string };

/** What a message says. `first`: the content that says what it is related to, which is another one where it is an edit. */
export function readContent(content: object, first: object, { me, api, ctx }: MatrixSession): Said {
  const about = objectOf(objectOf(first)["m.relates_to"]);
  const reply_to = about.is_falling_back === true ? undefined : textAt(about, "m.in_reply_to", "event_id");
  const body = textAt(content, "body") ?? "";
  const file = fileIn(content, me, ctx, api);
  // Older clients quote in the text what they answer, and whom; other quotes are the sender's own. A file without a caption has its name there.
  const bare = reply_to === undefined ? body : body.replace(/^> (?:\* )?<@.*\n(?:> .*\n)*\n/, "");
  const words = file !== undefined && body === file.name ? "" : bare;
  const named = objectOf(content)["m.mentions"];
  const isNamed = (): boolean => mentions(words.toLowerCase(), me.slice(1, me.indexOf(":")).toLowerCase());
  const isMeant = objectOf(named).room === true || listOf(objectOf(named).user_ids).includes(me);
  const text = textAt(content, "msgtype") === "m.emote" ? `/me ${words}` : words;
  return {
    thread_id: about.rel_type === "m.thread" ? textOf(about.event_id) : undefined,
    reply_to,
    mentions_me: named === undefined ? isNamed() : isMeant,
    content: { text, format: "plain", attachments: file && [file] },
  };
}

/** Its bytes come from our homeserver, which may have to fetch them from another one. One that is encrypted, as when it is forwarded from an encrypted room, is left out. */
function fileIn(content: object, me: string, ctx: MatrixSession["ctx"], api: JsonApi) {
  const locked = textAt(content, "file", "url");
  const [mxc, server = "", id = ""] = mxcUrl.exec(locked ?? textAt(content, "url") ?? "") ?? [];
  if (mxc === undefined) return undefined;
  const info = objectOf(objectOf(content).info);
  const name = textAt(content, "filename") ?? textAt(content, "body") ?? id;
  if (locked !== undefined) return { name, url: mxc, omitted: "unavailable" };
  // What our homeserver keeps itself comes later, where it does not come now.
  const isGone = server === me.slice(me.indexOf(":") + 1) ? undefined : isElsewhere;
  const described = {
    name,
    size: countOf(info.size),
    mediaType: textOf(info.mimetype),
    headers: api.headers,
  };
  const url = api.url(path`/client/v1/media/download/${server}/${id}`);
  return {
    ...remoteFile(ctx, { ...described, url, ...(isGone && { isGone }), redirect: "follow" }),
    url: mxc,
  };
}

/** The contents of the events that a message becomes: the text, in as many as it needs, then the files, which are all uploaded now. */
export async function writeContents(
  message: Outgoing,
  api: JsonApi,
  ctx: SendContext,
  textType = "m.text",
): Promise<Content[]> {
  const contents = writeTexts(message, textType);
  for (const attachment of message.attachments ?? []) {
    const name = fileName(attachment);
    const mimetype = attachment.media_type ?? mediaType(name) ?? "application/octet-stream";
    const body = fileBody(ctx, { ...attachment, media_type: mimetype });
    const upload = { query: { filename: name }, body, signal: ctx.signal };
    const { content_uri: url } = await beforehand(
      api.call<{ content_uri: string }>("POST", "/media/v3/upload", upload),
    );
    const kind = /^(image|audio|video)\//.exec(mimetype)?.[1] ?? "file";
    contents.push({
      msgtype: `m.${kind}`,
      body: name,
      filename: name,
      url,
      info: { mimetype, size: attachment.size },
    });
  }
  // Only the first of several events is an answer; all of them are in the thread.
  return contents.map((content, n) => ({
    ...content,
    ...relationOf(message.thread_id, n === 0 ? message.reply_to : undefined),
  }));
}

function writeTexts(message: Outgoing, msgtype: string): Content[] {
  const isEmote = message.text?.startsWith("/me ") === true;
  const text = isEmote ? message.text?.slice(4) : message.text;
  return richTexts({ ...message, text: text ?? "" }, maxTextBytes, jsonBytes).map(({ text: body, html }) => ({
    msgtype: isEmote ? "m.emote" : msgtype,
    body,
    ...(html !== undefined && { format: "org.matrix.custom.html", formatted_body: html }),
    "m.mentions": { user_ids: [...new Set(body.match(userIds))] },
  }));
}

function relationOf(thread: string | undefined, reply: string | undefined): object {
  const answered = { "m.in_reply_to": { event_id: reply ?? thread } };
  if (thread !== undefined)
    return {
      "m.relates_to": {
        rel_type: "m.thread",
        event_id: thread,
        is_falling_back: reply === undefined,
        ...answered,
      },
    };
  return reply === undefined ? {} : { "m.relates_to": answered };
}
