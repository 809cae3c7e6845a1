// Generated from manifest.json by schema/generate.ts. Do not edit.

export interface Config {
  /**
   * The program and its arguments, e.g. [python3, ./bot.py]. No shell reads it: for pipes and variables write [bash, -c, "…"].
   *
   * @minItems 1
   */
  command: string[];
  /**
   * The folder that the program runs in; relative to the folder of connectors.yml.
   */
  cwd: string;
  /**
   * Environment variables of the program, beside PATH, HOME, LANG and TZ. It gets no others.
   */
  env: {
    [k: string]: string;
  };
  /**
   * Wait for the line {"ready": true} before anything is sent; without it within runtime.connect_timeout the program is started again.
   */
  ready: boolean;
  /**
   * The longest line that the program may write; a longer one is refused.
   */
  max_line_bytes: number;
}
