// Generated from manifest.json by schema/generate.ts. Do not edit.

export interface Config {
  /**
   * What happens when.
   *
   * @minItems 1
   * @maxItems 1000
   */
  jobs: {
    /**
     * Unique among the jobs; the event's conversation unless conversation_id says otherwise.
     */
    name: string;
    /**
     * Cron expression: minute hour day month weekday; a sixth field in front is seconds; @daily and the like.
     */
    cron: string;
    /**
     * IANA time zone, e.g. Europe/Berlin. Default: the machine's.
     */
    timezone?: string;
    /**
     * The event's text. Default: the job's name.
     */
    text?: string;
    /**
     * The event's conversation. Default: the job's name.
     */
    conversation_id?: string;
    /**
     * What to do about runs that were missed: one event that counts them, or none.
     */
    missed: "once" | "skip";
  }[];
}
