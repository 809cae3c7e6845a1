// The Bot API through grammY's lower layer: each call once, and what Telegram says against it as a fate, with what a person can do about it.
import { Api, type HttpError, type RawApi } from "grammy";
import type { UserFromGetMe } from "grammy/types";
import { type Context, reject } from "spoolway/sdk";
import type { Recent } from "spoolway/sdk/recent";
import { type Advice, answerOf, refused, unanswered } from "spoolway/sdk/http/refusals";
import type { Config } from "./manifest.d.ts";

export type Session = { me: UserFromGetMe; api: RawApi; parts: Recent<string[]> };

/** 403, and what Telegram says with 400 where it is the group that forbids it. */
const forbidden = /^Forbidden|\brights\b|_(?:FORBIDDEN|ADMIN_REQUIRED|RESTRICTED)\b|\bTOPIC_CLOSED\b/;
const advice: Advice = {
  unauthorized: "Put the token of @BotFather (/mybots, API Token) into connectors.yml; or api_url is wrong.",
  conflict:
    "Another program receives for this bot: end it; or take its token away: @BotFather, /revoke. Logged out: api_url is not the server that it is at now.",
  unanswered: "Nothing, if it is soon over. Else: is api_url right, and a Bot API server there?",
  hints: [
    [/chat not found/, "Use a chat's number, or public @name. A person has to write to the bot first."],
    [/can't parse entities/, "format html takes Telegram's own tags only; markdown and plain take anything."],
    [/thread not found/, "thread_id is the number of a topic of this group, as its events have it."],
    [/REACTION_/, "Telegram takes the emoji of its own list only, and a group may allow fewer."],
    [forbidden, "A person has to write to the bot or unblock it; a group has to add it and let it write."],
  ],
};
/** A server of one's own says nothing while a large file is on its way between it and Telegram, and gives up after this time itself. */
const fileMs = 500_000;
/** "Not Found" is what does not even look like a token; a bot that has moved to another server may come back. */
const statusOf = (code: number, words: string): number =>
  ({ "Not Found": 401, "Logged out": 409 })[words] ?? (forbidden.test(words) ? 403 : code);
const isAnswer = (json: unknown): boolean => typeof (json as { ok?: unknown } | null)?.ok === "boolean";

/** `signal` of a send ends its own requests. */
export function openApi({ config: { token, api_url: apiRoot }, fetch, signal }: Context<Config>): RawApi {
  // Without grammY's signal, which is of a class of its own, and its timeout, which has no regard for files that move.
  const once = async (url: string, { signal: _own, ...init }: RequestInit) => {
    const hasFile = typeof init.body !== "string" || url.endsWith("/getFile");
    const answer = await fetch(url, { ...init, signal, redirect: "manual" }, hasFile ? fileMs : undefined);
    return new Response(await answerOf(answer, isAnswer, advice));
  };
  const api = new Api(token, { apiRoot, fetch: once, timeoutSeconds: 1_000_000 });
  api.config.use(async (prev, ...call) => {
    const answer = await prev(...call).catch(({ error }: HttpError) =>
      Promise.reject(unanswered(error, advice)),
    );
    if (answer.ok) return answer;
    const { error_code, description: words, parameters = {} } = answer;
    const { migrate_to_chat_id: id, retry_after: retryAfterS } = parameters;
    if (id) throw reject(words, "chat_migrated", { hint: `The group's id is ${id} now: send to that.` });
    throw refused({ status: statusOf(error_code, words), words, retryAfterS }, advice);
  });
  return api.raw;
}
