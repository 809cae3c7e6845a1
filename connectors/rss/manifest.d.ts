// Generated from manifest.json by schema/generate.ts. Do not edit.

export interface Config {
  /**
   * Addresses of the feeds. They are the conversations' ids: a secret belongs into `login`, `headers` or `query`.
   *
   * @minItems 1
   * @maxItems 500
   */
  feeds: string[];
  /**
   * Entries of a feed that is read for the first time which are delivered, the newest; the others count as read.
   */
  backlog: number;
  /**
   * Deliver an entry again, as an edit, when its title, text, link or files change.
   */
  edits: boolean;
  /**
   * Files of entries (podcasts): only their addresses; or fetched, where they lie on the feed's own host, or wherever they lie. Feeds can name any address: fetch is for those that you trust.
   */
  attachments: "link" | "same_host" | "fetch";
  /**
   * HTTP Basic login, for all feeds of this entry.
   */
  login?: {
    /**
     * User name.
     */
    username: string;
    /**
     * Password.
     */
    password: string;
  };
  /**
   * Headers of every request, e.g. Authorization. With them, no redirect is followed.
   */
  headers?: {
    [k: string]: string;
  };
  /**
   * Parameters that are added to every feed's address when it is read, e.g. a token. With them, no redirect is followed.
   */
  query?: {
    [k: string]: string;
  };
  /**
   * A larger feed is not read.
   */
  max_bytes: number;
  /**
   * Seconds for one feed.
   */
  timeout_s: number;
}
