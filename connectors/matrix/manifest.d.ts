// Generated from manifest.json by schema/generate.ts. Do not edit.

export interface Config {
  /**
   * Base URL of the homeserver's API, e.g. https://matrix-client.matrix.org. For @bot:example.org: https://example.org/.well-known/matrix/client names it.
   */
  homeserver: string;
  /**
   * Of a login of its own, used by nothing else.
   */
  access_token: string;
  /**
   * Rooms to join: "#dev:example.org" or "!id:example.org", in quotes. The rooms that the account is in already need not be here.
   *
   * @maxItems 500
   */
  rooms: string[];
  /**
   * Whose invites are followed: users ("@ada:example.org"), servers ("example.org"), or "*" for everybody. Others are left open and logged.
   */
  accept_invites: string[];
  /**
   * Deliver who joins, leaves, is invited, removed or banned, too.
   */
  membership: boolean;
  /**
   * Send as m.notice, which other bots do not answer.
   */
  notice: boolean;
  /**
   * Seconds that the homeserver holds a request while nothing happens.
   */
  poll_s: number;
}
