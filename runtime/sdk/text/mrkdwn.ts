// spoolway/sdk/text/mrkdwn: Slack's markup, which other platforms take for their incoming webhooks as well: <@U1>, <#C1|general>, <!here>, <https://x.org|x>, :wave: and the three
// entities &amp; &lt; &gt;. As text that people read, and text so that it is shown as it is.
import type { SizeOf } from "./split.ts";
import { listOf, objectOf, textOf } from "../untrusted.ts";

/** What people call a user, a channel or a group. Undefined: its id is shown. */
export type NameOf = (id: string) => string | undefined;

/** The text as people see it. `blocks`: the message's, which tell what character an emoji's name stands for. */
export function mrkdwnToText(mrkdwn: string, nameOf: NameOf = () => undefined, blocks: unknown = []): string {
  const plain = mrkdwn.replaceAll(
    /<([^<>|\s][^<>|]*)(?:\|([^<>]*))?>/g,
    (_whole, target: string, label?: string) => readable(target, label, nameOf),
  );
  return withEmoji(plain, emojiIn(blocks))
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&amp;", "&");
}

/** What a message says as mrkdwn: its text, or where it has none what is attached to it, as alerts and forwarded messages are. */
export function mrkdwnOf({ text, attachments }: { text?: unknown; attachments?: unknown }): string {
  const wordsIn = (attached: unknown): string | undefined => {
    const { pretext, title, text: body, fallback } = objectOf(attached);
    return [pretext, title, body].filter(textOf).join("\n") || textOf(fallback);
  };
  return textOf(text) ?? listOf(attachments).map(wordsIn).filter(Boolean).join("\n");
}

/** The text, so that none of it is a mention, a link or an entity. */
export function textToMrkdwn(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

/** How long a text is as mrkdwn, in UTF-16 units. */
export const mrkdwnSize: SizeOf = (text) => textToMrkdwn(text).length;

/** As mrkdwnToText, and the ids of the users whom it names, whose names are looked up. */
export async function readMrkdwn(
  mrkdwn: string,
  blocks: unknown,
  nameOf: (user: string) => Promise<string | undefined>,
): Promise<{ text: string; users: string[] }> {
  const users = [...mrkdwn.matchAll(/<@([^<>|]+)(?:\|[^<>]*)?>/g)].map(([, id = ""]) => id);
  const names = new Map<string, string | undefined>();
  for (const user of users) names.set(user, await nameOf(user));
  return { text: mrkdwnToText(mrkdwn, (id) => names.get(id), blocks), users };
}

function readable(target: string, label: string | undefined, nameOf: NameOf): string {
  const [sign = "", id] = [target[0], target.slice(1)];
  if (sign === "@" || sign === "#") return sign + (nameOf(id) ?? (label || id));
  if (sign === "!") return label ? label : `@${id.replace(/^subteam\^/, "").replace(/\^.*/, "")}`;
  const bare = target.replace(/^(?:mailto|tel):/, "");
  const isSame =
    !label ||
    [target, bare].includes(label) ||
    (/^https?:\/\//.test(target) && target.replace(/^https?:\/\/|\/$/g, "") === label);
  return isSame ? label || bare : `${label} (${bare})`;
}

/** name or name::skin-tone-N ─▶ the character. */
function emojiIn(part: unknown, found = new Map<string, string>()): Map<string, string> {
  if (Array.isArray(part)) for (const one of part) emojiIn(one, found);
  else if (typeof part === "object" && part !== null) {
    const { type, name, unicode, skin_tone: tone, elements } = part as Record<string, unknown>;
    if (type === "emoji" && typeof name === "string" && isCodePoints(unicode)) {
      const character = unicode.split("-").map((hex) => String.fromCodePoint(Number.parseInt(hex, 16)));
      found.set(typeof tone === "number" ? `${name}::skin-tone-${tone}` : name, character.join(""));
    }
    emojiIn(elements, found);
  }
  return found;
}

/** "1f44b-1f3fd", which any app may have written otherwise. */
const isCodePoints = (unicode: unknown): unicode is string =>
  typeof unicode === "string" && /^[0-9a-f]{1,5}(?:-[0-9a-f]{1,5})*$/i.test(unicode);

function withEmoji(text: string, characters: Map<string, string>): string {
  if (characters.size === 0) return text;
  return text.replaceAll(
    /:([\w+'-]+(?:::skin-tone-\d)?):/g,
    (whole, name: string) => characters.get(name) ?? whole,
  );
}
