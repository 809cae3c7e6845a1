// Generated from manifest.json by schema/generate.ts. Do not edit.

export interface Config {
  /**
   * TCP port to listen on. 0: any free one (the log says which).
   */
  port: number;
  /**
   * Address to listen on. Anything but loopback needs `verify` or `allow_unverified`.
   */
  host: string;
  /**
   * Where events are posted; the stream and the health check lie below it.
   */
  path: string;
  /**
   * Largest request body in bytes.
   */
  max_body: number;
  /**
   * Where in the body the fields of the event are, as JSON Pointers (RFC 6901).
   */
  map?: {
    /**
     * Default /text.
     */
    text?: string;
    /**
     * Default /subject.
     */
    subject?: string;
    /**
     * Default /conversation_id; `default` where there is none.
     */
    conversation_id?: string;
    conversation_name?: string;
    /**
     * Default /sender, a string or an object with id, username, display_name.
     */
    sender_id?: string;
    sender_name?: string;
    /**
     * Default /thread_id.
     */
    thread_id?: string;
    /**
     * Default /reply_to.
     */
    reply_to?: string;
    /**
     * Default: the delivery id.
     */
    platform_id?: string;
    /**
     * What makes an event unique; default: the delivery id.
     */
    key?: string;
    /**
     * A date, or seconds or milliseconds since 1970. Default /occurred_at.
     */
    occurred_at?: string;
    /**
     * One of the event kinds. Default: message where there is a text, else event.
     */
    kind?: string;
  };
  /**
   * Request header that holds the delivery id, where it is none of the usual ones.
   */
  key_header?: string;
  /**
   * How a request proves where it comes from.
   */
  verify?: {
    /**
     * none, bearer (a shared token), standard (Standard Webhooks), github, slack or stripe.
     */
    scheme: "none" | "bearer" | "standard" | "github" | "slack" | "stripe";
    /**
     * The signing secret.
     */
    secret?: string;
    /**
     * The token, for scheme bearer.
     */
    token?: string;
    /**
     * More secrets or tokens that are valid too, while they are rotated.
     */
    secrets?: string[];
    /**
     * Scheme bearer: a header that holds the bare token, e.g. X-Gitlab-Token. Default `Authorization: Bearer <token>`.
     */
    header?: string;
    /**
     * Seconds that a signed timestamp may be off, both ways.
     */
    tolerance: number;
  };
  /**
   * Listen beyond loopback without `verify`: anyone who reaches the port can post.
   */
  allow_unverified: boolean;
  /**
   * Web origins whose pages may post and listen, e.g. https://app.example.org. Other browsers' requests are refused.
   */
  cors_origins: string[];
  /**
   * Host names that requests may name, e.g. hooks.example.org behind a proxy or tunnel. Loopback names are always allowed on loopback.
   */
  allowed_hosts: string[];
  /**
   * Connections at once; more are closed.
   */
  max_connections: number;
  /**
   * Offer outgoing messages as server-sent events at <path>stream.
   */
  stream: boolean;
  /**
   * Token for the stream: `Authorization: Bearer`, or ?stream_token= for EventSource. Needed with the signing schemes.
   */
  stream_token?: string;
  /**
   * Messages of each conversation that are kept in memory for listeners that come later.
   */
  stream_history: number;
  /**
   * Listeners at once.
   */
  max_streams: number;
  /**
   * Show a small chat page at <path> to browsers on this machine (loopback and scheme none only).
   */
  page: boolean;
  /**
   * Where outgoing messages are posted. Kept out of logs: such URLs often hold a token.
   */
  url?: string;
  /**
   * Headers of those posts, e.g. Authorization.
   */
  headers?: {
    [k: string]: string;
  };
  /**
   * Sign those posts with Standard Webhooks.
   */
  sign?: {
    /**
     * whsec_ and base64.
     */
    secret: string;
    /**
     * More secrets to sign with, while they are rotated.
     */
    secrets?: string[];
  };
  /**
   * Seconds to wait for the answer of `url`. Keep it below runtime.send_timeout.
   */
  timeout_s: number;
}
