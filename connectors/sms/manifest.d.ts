// Generated from manifest.json by schema/generate.ts. Do not edit.

export interface Config {
  /**
   * gammu-smsd's spool: the folder with inbox, outbox, sent and error. Relative to the folder of connectors.yml.
   */
  folder: string;
  /**
   * What becomes of a file in inbox once its event is durable: moved to inbox/.done, or removed.
   */
  after: "move" | "delete";
  /**
   * Ask the network to report when a message reached the phone. Not asking needs deliveryreport = no in smsd's configuration, too.
   */
  delivery_reports: boolean;
  /**
   * A text that would take more parts is refused (too_large): providers bill each one, and smsd would cut it at 50.
   */
  max_parts: number;
}
