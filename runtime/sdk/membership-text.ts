// spoolway/sdk/membership-text: who came, went, was invited or put out, as a sentence: "Bob was invited by Ada: for the release".

const deeds: Readonly<Record<string, string>> = {
  join: "joined",
  leave: "left",
  kick: "was put out",
  invite: "was invited",
  ban: "was banned",
  knock: "asks to come in",
};

/** `by`: undefined, or the same name, where it was their own doing. */
export function membershipText(
  deed: string,
  who: string,
  by: string | undefined,
  why: string | undefined,
): string {
  const isOwn = by === undefined || by === who;
  const did = deeds[deed === "leave" && !isOwn ? "kick" : deed] ?? deed;
  return `${who} ${did}${isOwn ? "" : ` by ${by}`}${why === undefined ? "" : `: ${why}`}`;
}
