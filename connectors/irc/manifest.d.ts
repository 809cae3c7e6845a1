// Generated from manifest.json by schema/generate.ts. Do not edit.

export interface Config {
  /**
   * Host name or address of the server, without port.
   */
  server: string;
  /**
   * Default 6697 with TLS, 6667 without.
   */
  port?: number;
  /**
   * Encrypt the connection.
   */
  tls: boolean;
  /**
   * Verify the server's certificate. false trusts anyone who answers.
   */
  tls_verify: boolean;
  /**
   * PEM of the CA, or of the self-signed certificate, to trust. Use ${file:path}.
   */
  tls_ca?: string;
  /**
   * SHA-256 of the server's certificate in hex. Takes the place of the verification: this certificate and no other.
   */
  tls_fingerprint?: string;
  /**
   * PEM of the client certificate, for SASL EXTERNAL. Use ${file:path}.
   */
  tls_cert?: string;
  /**
   * PEM of its key. Default: in tls_cert too.
   */
  tls_key?: string;
  /**
   * The wanted nick; it begins with a letter. While it is taken another one is used, and this one is taken back when it is free.
   */
  nick: string;
  /**
   * Default: nick.
   */
  username?: string;
  /**
   * Of the server or bouncer (PASS). For an account use sasl.
   */
  password?: string;
  /**
   * Log in to an account while connecting.
   */
  sasl?: {
    /**
     * PLAIN: account and password. EXTERNAL: the client certificate.
     */
    mechanism: "PLAIN" | "EXTERNAL";
    /**
     * Default: nick.
     */
    account?: string;
    /**
     * Of the account, for PLAIN.
     */
    password?: string;
  };
  /**
   * Channels to be in. Quote names that start with #, or leave the # out.
   *
   * @maxItems 200
   */
  channels: (
    | string
    | {
        name: string;
        /**
         * The channel's password (mode +k).
         */
        key?: string;
      }
  )[];
  /**
   * How fast lines are written. A server that gets too many ends the connection.
   */
  flood: {
    /**
     * Lines at once after a pause.
     */
    burst: number;
    /**
     * Lines per second after that.
     */
    per_second: number;
  };
  /**
   * A message that becomes more lines is refused (too_large) instead of filling a channel.
   */
  max_lines: number;
  /**
   * Deliver who joins, parts, quits, is kicked and changes the nick, too.
   */
  membership: boolean;
  /**
   * Seconds between tries to get back into a channel that we were kicked from or refused, and to get the wanted nick back.
   */
  retry_s: number;
}
