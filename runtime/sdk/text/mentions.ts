// spoolway/sdk/text/mentions: whether a text names somebody, where a platform has no mentions of its own (IRC, the rooms of XMPP, mail).

/** What can be a part of a name: a name within a longer word is none. */
const ofName = /[\p{L}\p{N}_\-[\]\\`^{}|]/u;

/** Whether `name` stands in the text as a word of its own. Both have to be in the platform's lower case already. */
export function mentions(text: string, name: string): boolean {
  if (name === "") return false;
  for (let at = text.indexOf(name); at !== -1; at = text.indexOf(name, at + 1)) {
    const around = [text[at - 1], text[at + name.length]];
    if (!around.some((next) => next !== undefined && ofName.test(next))) return true;
  }
  return false;
}
