// Generated from manifest.json by schema/generate.ts. Do not edit.

export interface Config {
  /**
   * The folder to watch; relative to the folder of connectors.yml. It is created if it was never there.
   */
  path: string;
  /**
   * Only files whose path below the folder matches this glob, e.g. *.pdf, ** /*.json. Default: all.
   */
  pattern?: string;
  /**
   * Look into folders below it too.
   */
  recursive: boolean;
  /**
   * What becomes of a file once its event is durable: moved to .done/, deleted, or left where it is.
   */
  after: "move" | "delete" | "keep";
  /**
   * How long a file must not have changed before it is taken for complete. JSON objects that parse are taken at once.
   */
  settle: string;
  /**
   * The conversation of the events. Default: the folder's name.
   */
  conversation_id?: string;
  /**
   * The sender of the events. Default: none.
   */
  sender?: string;
}
