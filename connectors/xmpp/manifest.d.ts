// Generated from manifest.json by schema/generate.ts. Do not edit.

export interface Config {
  /**
   * The account's address, in lower case: bot@example.org.
   */
  jid: string;
  /**
   * Of the account.
   */
  password: string;
  /**
   * Host name or address of the server. Default: what the address's domain says in DNS (SRV), else the domain itself.
   */
  server?: string;
  /**
   * Default 5222.
   */
  port?: number;
  /**
   * Encrypt the connection (STARTTLS). Never left out when true.
   */
  tls: boolean;
  /**
   * TLS from the first byte, for a port that wants it (often 5223).
   */
  direct_tls: boolean;
  /**
   * Verify that the server's certificate is for the address's domain. false trusts anyone who answers.
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
   * Names this connection among others of the account. Default: spoolway- and the connector's name.
   */
  resource?: string;
  /**
   * Rooms to be in, as dev@rooms.example.org.
   *
   * @maxItems 200
   */
  rooms: (
    | string
    | {
        name: string;
        /**
         * The room's password.
         */
        key?: string;
      }
  )[];
  /**
   * Our name in the rooms. Default: what is before the @ of jid.
   */
  nick?: string;
  /**
   * Tell senders who ask for it that their message is durable here.
   */
  receipts: boolean;
  /**
   * Seconds between tries to get back into a room that we were removed from or refused.
   */
  retry_s: number;
}
