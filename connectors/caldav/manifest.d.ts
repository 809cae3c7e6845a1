// Generated from manifest.json by schema/generate.ts. Do not edit.

export interface Config {
  /**
   * Address of the CalDAV service; where the calendars are is asked there.
   */
  server: string;
  /**
   * The login.
   */
  user: string;
  /**
   * The password; with two-factor login one that is made for this program (app password).
   */
  password: string;
  /**
   * Names or paths of the calendars to watch. Default: all of this account.
   *
   * @minItems 1
   */
  calendars?: string[];
  /**
   * At the very first start, what is in the calendars already: new leaves it, all takes it.
   */
  begin: "new" | "all";
  /**
   * How long a new entry is for which the message names no end.
   */
  duration: string;
}
