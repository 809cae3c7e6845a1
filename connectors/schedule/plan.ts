// When a job is due: functions of a cron expression and the time, without timers.
//
// Time zones and their changes to and from summer time are croner's: a job with one fixed time of day that falls into the gap runs at the first time after
// it, and only the first of two equal times; any other job skips the gap and runs in both of two equal hours.
import { Cron } from "croner";

/** A job as connectors.yml has it. */
export interface JobConfig {
  name: string;
  cron: string;
  timezone?: string;
  text?: string;
  conversation_id?: string;
  missed: "once" | "skip";
}

/** A job that can run: its expression is valid and has, or had, a time to run at. */
export interface Job extends JobConfig {
  timezone: string;
  times: Cron;
}

/** Runs that are due: `count` of them from `first` to `last`, or more than `count` where it is capped. */
export interface Due {
  first: Date;
  last: Date;
  count: number;
  capped: boolean;
}

/** Counting a year of seconds would take an hour. */
export const maxCounted = 1000;

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

/** The runs after `after`, up to and including `now`; undefined when there is none. */
export function dueRuns(times: Cron, after: Date, now: Date): Due | undefined {
  const first = times.nextRun(after);
  if (first === null || first > now) return undefined;
  const due: Due = { first, last: first, count: 1, capped: false };
  for (;;) {
    const next = times.nextRun(due.last);
    if (next === null || next > now) return due;
    if (due.count === maxCounted) {
      // previousRuns looks strictly before its reference.
      const last = times.previousRuns(1, new Date(now.getTime() + 1))[0] ?? next;
      return { ...due, last, capped: true };
    }
    due.last = next;
    due.count++;
  }
}

/** Milliseconds from `now` until the first of the jobs runs next after its own `after`; Infinity when none ever does. */
export function msToNext(jobs: ReadonlyArray<{ times: Cron; after: Date }>, now: Date): number {
  let ms = Infinity;
  for (const { times, after } of jobs) {
    const next = times.nextRun(after);
    if (next !== null) ms = Math.min(ms, next.getTime() - now.getTime());
  }
  return ms;
}
