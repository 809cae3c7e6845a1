// Generated from manifest.json by schema/generate.ts. Do not edit.

export interface Config {
  /**
   * The mailbox's own address: the sender of what goes out, and how our own mail is recognised.
   */
  address: string;
  /**
   * What people see beside the address.
   */
  display_name?: string;
  /**
   * Further addresses of ours: what comes from them is marked is_self.
   */
  aliases: string[];
  /**
   * Login at both servers. Default: address.
   */
  user?: string;
  /**
   * Of the login. Most large providers want an app password made for this.
   */
  password: string;
  /**
   * Where mail is read. Without it nothing is received.
   */
  imap?: {
    /**
     * Host name, without port.
     */
    server: string;
    /**
     * 993 for tls, 143 for starttls.
     */
    port: number;
    /**
     * tls: from the first byte. starttls: required after the greeting. none: everybody on the way reads the password.
     */
    security: "tls" | "starttls" | "none";
  };
  /**
   * Where mail is sent. Without it nothing is sent.
   */
  smtp?: {
    /**
     * Host name, without port.
     */
    server: string;
    /**
     * 465 for tls, 587 for starttls.
     */
    port: number;
    /**
     * As for imap.
     */
    security: "tls" | "starttls" | "none";
  };
  /**
   * Verify the servers' certificates. false trusts anyone who answers.
   */
  tls_verify: boolean;
  /**
   * PEM of the CA, or of the self-signed certificate, to trust. Use ${file:path}.
   */
  tls_ca?: string;
  /**
   * IMAP folders to read; each takes a connection of its own.
   *
   * @minItems 1
   * @maxItems 8
   */
  folders: string[];
  /**
   * A folder that is read for the first time: only what comes from now on, or all that lies in it.
   */
  start: "new" | "all";
  /**
   * Mark mail as read once its event is durable.
   */
  mark_seen: boolean;
  /**
   * Say in what is sent that a program wrote it (Auto-Submitted), so that other programs do not answer.
   */
  auto_submitted: boolean;
  /**
   * Of mail that names no subject and answers nothing that we know.
   */
  subject: string;
}
