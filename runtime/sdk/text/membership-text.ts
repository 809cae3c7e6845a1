// spoolway/sdk/text/membership-text: who came, went, was invited or put out, as a sentence: "Bob was invited by Ada: for the release".

const deeds: Readonly<Record<string, string>> = {
  join: "joined",
  leave: "left",
  kick: "was put out",
  invite: "was invited",
  ban: "was banned",
  knock: "asks to come in",
  "leave after invite": "declined the invite",
  "kick after invite": "was uninvited",
  "kick after ban": "was unbanned",
};

/** `by`: undefined, or the same name, where it was their own doing. `was`: what they were before, where that is known. */
export function membershipText(
  deed: string,
  who: string,
  by: string | undefined,
  why: string | undefined,
  was?: unknown,
): string {
  const isOwn = by === undefined || by === who;
  const deedOf = deed === "leave" && !isOwn ? "kick" : deed;
  const did = deeds[`${deedOf} after ${String(was)}`] ?? deeds[deedOf] ?? deed;
  return `${who} ${did}${isOwn ? "" : ` by ${by}`}${why === undefined ? "" : `: ${why}`}`;
}
