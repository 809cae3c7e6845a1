// Generated from manifest.json by schema/generate.ts. Do not edit.

export interface Config {
  /**
   * Host name or address of the broker, without port.
   */
  server: string;
  /**
   * Default 8883 with TLS, 1883 without.
   */
  port?: number;
  /**
   * Encrypt the connection.
   */
  tls: boolean;
  /**
   * Verify the broker's certificate. false trusts anyone who answers.
   */
  tls_verify: boolean;
  /**
   * PEM of the CA, or of the self-signed certificate, to trust. Use ${file:path}.
   */
  tls_ca?: string;
  /**
   * SHA-256 of the broker's certificate in hex. Takes the place of the verification: this certificate and no other.
   */
  tls_fingerprint?: string;
  /**
   * PEM of the client certificate, where the broker knows its clients by it. Use ${file:path}.
   */
  tls_cert?: string;
  /**
   * PEM of its key. Default: in tls_cert too.
   */
  tls_key?: string;
  /**
   * Of the account on the broker.
   */
  username?: string;
  /**
   * Of that account.
   */
  password?: string;
  /**
   * The name of our session on the broker, one for each client. Default: a random one, kept in spool/state.
   */
  client_id?: string;
  /**
   * Topics to receive, with the wildcards + and #. In quotes: to YAML a bare # begins a comment.
   *
   * @maxItems 1000
   *
   * Items: A topic: + stands for one whole level, # at the end for all below. No shared subscriptions ($share/).
   */
  topics: string[];
  /**
   * Of what is sent, and the highest for what is received: 0 may be lost, 1 may come twice, 2 comes once. Where the broker offers less, that.
   */
  qos: 0 | 1 | 2;
  /**
   * Deliver what the broker keeps (retained messages) when a topic is subscribed to for the first time.
   */
  retained: boolean;
  /**
   * The user property that has a message's own id: written on what is sent, and what has it comes in once.
   */
  id_property: string;
  /**
   * How long the broker keeps what is published while we are away, in seconds. 4294967295: for ever.
   */
  session_expiry_s: number;
  /**
   * After one and a half times this silence the broker takes us for dead.
   */
  keep_alive_s: number;
  /**
   * Larger messages the broker discards instead of sending them to us (that is MQTT's rule): they are held in memory, up to 32 at once.
   */
  max_packet_bytes: number;
}
