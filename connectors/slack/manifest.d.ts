// Generated from manifest.json by schema/generate.ts. Do not edit.

export interface Config {
  /**
   * App-level token with the scope connections:write (xapp-…), to receive.
   */
  app_token: string;
  /**
   * Bot user OAuth token (xoxb-…), to send and to fetch.
   */
  bot_token: string;
  /**
   * How far back messages are fetched that were said while the connector was away. 0: not at all.
   */
  catch_up_hours: number;
  /**
   * Address of the Web API, without a slash at the end. For GovSlack: https://slack-gov.com/api
   */
  api_url: string;
}
