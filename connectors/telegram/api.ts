// The Bot API through grammY's lower layer: each call once, and what Telegram says against it as a fate, with what a person can do about it.
import { Api, type HttpError, type RawApi } from "grammy";
import type { UserFromGetMe } from "grammy/types";
import { type Context, reject } from "spoolway/sdk";
import type { Recent } from "spoolway/sdk/recent";
import { type Advice, refused, unanswered } from "spoolway/sdk/refusals";
import type { Config } from "./manifest.d.ts";

export type Session = { me: UserFromGetMe; api: RawApi; parts: Recent<string[]> };

const advice: Advice = {
  unauthorized: "Put the token of @BotFather (/mybots, API Token) into connectors.yml; or api_url is wrong.",
  conflict: "Another program receives for this bot: end it; or take its token away: @BotFather, /revoke.",
  hints: [
    [/chat not found/, "Use a chat's number, or public @name. A person has to write to the bot first."],
    [/can't parse entities/, "format html takes Telegram's own tags only; markdown and plain take anything."],
    [/thread not found/, "thread_id is the number of a topic of this group, as its events have it."],
    [/PHOTO_|IMAGE_|VOICE_/, "Set media: documents, and it is sent as a file."],
    [/^Forbidden/, "A person has to write to the bot or unblock it; a group has to add it and let it write."],
  ],
};

export function openApi({ config: { token, api_url: apiRoot }, fetch }: Context<Config>): RawApi {
  // Without grammY's signal, which is of a class of its own: the session's ends every request.
  const once = (url: string, { signal: _own, ...init }: RequestInit) => fetch(url, init);
  const api = new Api(token, { apiRoot, fetch: once });
  api.config.use(async (prev, ...call) => {
    const answer = await prev(...call).catch(({ error }: HttpError) => Promise.reject(unanswered(error)));
    if (answer.ok) return answer;
    const { error_code, description: words, parameters = {} } = answer;
    const { migrate_to_chat_id: id, retry_after: retryAfterS } = parameters;
    if (id) throw reject(words, "chat_migrated", { hint: `The group's id is ${id} now: send to that.` });
    const status = words === "Not Found" ? 401 : error_code; // what does not even look like a token
    throw refused({ status, words, retryAfterS }, advice);
  });
  return api.raw;
}
