// A job as connectors.yml has it, and as one that can run.
//
// Time zones and their changes to and from summer time are croner's: a job with one fixed time of day that falls into the gap runs at the first time after
// it, and only the first of two equal times; any other job skips the gap and runs in both of two equal hours.
import { Cron } from "croner";
import type { Config } from "./manifest.d.ts";

/** A job as connectors.yml has it. */
export type JobConfig = Config["jobs"][number];

/** A job that can run: its expression is valid and has, or had, a time to run at. */
export interface Job extends JobConfig {
  timezone: string;
  times: Cron;
}

/** The job, or in words what is wrong with it. */
export function parseJob(config: JobConfig, now: Date): Job | string {
  const timezone = config.timezone ?? Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (!isTimezone(timezone)) {
    return `unknown time zone ${JSON.stringify(timezone)}; write an IANA name, e.g. Europe/Berlin or UTC`;
  }
  let times: Cron;
  try {
    times = new Cron(config.cron, { timezone });
  } catch (error) {
    return `${JSON.stringify(config.cron)} is no cron expression: ${(error as Error).message.replace(/^CronPattern: /, "")}`;
  }
  // croner also takes a date, which runs once; as a job it would be an error as soon as it is over.
  if (times.getPattern() === undefined)
    return `${JSON.stringify(config.cron)} is a date, not a cron expression`;
  if (times.nextRun(now) === null && times.previousRuns(1, now).length === 0) {
    return `${JSON.stringify(config.cron)} never comes: no such day exists`;
  }
  return { ...config, timezone, times };
}

function isTimezone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: name }) instanceof Intl.DateTimeFormat;
  } catch {
    return false; // the only thing that it throws for here is an unknown zone
  }
}
