// Generated from manifest.json by schema/generate.ts. Do not edit.

export interface Config {
  /**
   * The bot's token, as @BotFather gave it: 123456:ABC-DEF.
   */
  token: string;
  /**
   * Address of the Bot API, without a slash at the end; for a Bot API server of your own.
   */
  api_url: string;
  /**
   * For a Bot API server of your own that runs with --local: its folder (--dir), where it leaves files for us to read. Files of up to 2000 MB then, both ways.
   */
  files?: string;
  /**
   * The kinds of updates to ask Telegram for (allowed_updates). Others than those of the default, such as chat_member or callback_query, have to be listed.
   *
   * @minItems 1
   */
  updates: (
    | "message"
    | "edited_message"
    | "channel_post"
    | "edited_channel_post"
    | "business_connection"
    | "business_message"
    | "edited_business_message"
    | "deleted_business_messages"
    | "guest_message"
    | "stopped_message_generation"
    | "message_reaction"
    | "message_reaction_count"
    | "inline_query"
    | "chosen_inline_result"
    | "callback_query"
    | "shipping_query"
    | "pre_checkout_query"
    | "purchased_paid_media"
    | "poll"
    | "poll_answer"
    | "my_chat_member"
    | "chat_member"
    | "chat_join_request"
    | "chat_boost"
    | "removed_chat_boost"
    | "managed_bot"
    | "subscription"
  )[];
  /**
   * auto: pictures, videos and sound are sent to be seen and heard, and Telegram makes pictures smaller. documents: every attachment is sent as a file, byte for byte.
   */
  media: "auto" | "documents";
  /**
   * Seconds for which Telegram holds an empty answer back.
   */
  poll_s: number;
}
