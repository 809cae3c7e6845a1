// spoolway/sdk/recurrence: something that happens again and again (a cron expression, a calendar entry): which of its runs are due, how many were missed, when the
// next one comes. Functions of its times and the clock, without timers.

/** The times of it. An instance of croner's Cron is one. */
export interface Times {
  /** The first run after this time; null when there is none. */
  nextRun(after: Date): Date | null;
  /** The last runs strictly before this time. */
  previousRuns(count: number, before: Date): Date[];
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

/** The runs after `after`, up to and including `now`; undefined when there is none. */
export function dueRuns(times: Times, after: Date, now: Date): Due | undefined {
  const first = times.nextRun(after);
  if (first === null || first > now) return undefined;
  const due: Due = { first, last: first, count: 1, capped: false };
  for (;;) {
    const next = times.nextRun(due.last);
    if (next === null || next > now) return due;
    if (due.count === maxCounted) {
      const last = times.previousRuns(1, new Date(now.getTime() + 1))[0] ?? next;
      return { ...due, last, capped: true };
    }
    due.last = next;
    due.count++;
  }
}

/** When the first of these runs next after its own `after`, in ms since 1970; Infinity when none ever does. */
export function nextRunAt(all: ReadonlyArray<{ times: Times; after: Date }>): number {
  return Math.min(...all.map(({ times, after }) => times.nextRun(after)?.getTime() ?? Infinity));
}
