// Generated from manifest.json by schema/generate.ts. Do not edit.

export interface Config {
  /**
   * The bot's token: Developer Portal, your application, Bot, Reset Token. Without the word Bot.
   */
  token: string;
  /**
   * See what people write. Needs the Message Content Intent (Developer Portal, Bot). false: only what mentions the bot, answers it, or is a direct message has a text.
   */
  message_content: boolean;
  /**
   * Whom a text of ours may notify, where it names them: users, roles, everyone (@everyone and @here).
   */
  mentions: ("users" | "roles" | "everyone")[];
  /**
   * Address of the HTTP API, without version and without a slash at the end. The gateway's address is asked there.
   */
  api_url: string;
}
