// Cron jobs as events. For each job the time of the last run that was handled is durable, and everything follows from it: the runs between it and now are
// due. One that is on time is an event; runs that nobody was there for (downtime, suspend) become one event that counts them.
//
//   due ──▶ noted with its report ──▶ delivered ──▶ noted without it
//
// A process that dies in between finds the report noted and delivers it again, under the same key, which makes no second event.
//
// The wall clock may step. Back: nothing that ran runs again, since what is handled only grows. Forward: the runs in between were missed.
// Either is noticed within 30 s, and so is a suspend: sleepTowards looks at the clock as often.
import { defineConnector, stop, type Context } from "spoolway/sdk";
import { type Due, dueRuns, nextRunAt } from "spoolway/sdk/recurrence";
import { sleepTowards } from "spoolway/sdk/wall-clock";
import type { Config } from "./manifest.d.ts";
import { type Job, type JobConfig, parseJob } from "./plan.ts";

type Ctx = Context<Config>;

/** What is durable of a job. With another expression or zone it is another job, which has missed nothing yet. */
interface Handled {
  cron: string;
  timezone: string;
  /** Scheduled time of the last run that was handled; at first, when the job was first seen. */
  last: string;
  /** What is to be delivered for it, until it is. */
  report?: Report;
}

interface Report {
  missed: number;
  missed_since?: string;
  missed_capped?: boolean;
}

interface Session {
  jobs: Job[];
  handled: Record<string, Handled>;
}

/** A run that is handled later than this was missed. Ten seconds cover a busy disk. */
const lateMs = 10_000;
/** What was handled this far in the future was handled while the clock was wrong. */
const wrongClockMs = 3_600_000;

export default defineConnector<Config, Session>({
  async connect(ctx) {
    const jobs = parseJobs(ctx.config.jobs);
    const known = (await ctx.state.get<Record<string, Handled>>("jobs")) ?? {};
    const handled: Record<string, Handled> = Object.create(null) as Record<string, Handled>;
    for (const job of jobs) {
      const before = Object.hasOwn(known, job.name) ? known[job.name] : undefined;
      const same = before !== undefined && before.cron === job.cron && before.timezone === job.timezone;
      handled[job.name] = same ? before : handledUntil(job, new Date().toISOString());
      if (job.times.nextRun() === null) ctx.log.warn("job.over", { job: job.name, cron: job.cron });
    }
    await ctx.state.set("jobs", handled);
    return { jobs, handled };
  },

  async receive(session, ctx) {
    for (const job of session.jobs) {
      const { last, report } = handledOf(job, session);
      if (report !== undefined) await deliver(job, last, report, session, ctx);
    }
    let catchingUp = true;
    while (!ctx.signal.aborted) {
      for (const job of session.jobs) await runJob(job, session, catchingUp, ctx);
      catchingUp = false;
      const next = session.jobs.map((job) => ({ times: job.times, after: lastOf(job, session) }));
      await sleepTowards(nextRunAt(next), ctx.signal);
    }
  },
});

/** Throws `config_invalid` with all that is wrong: nothing gets better before a person changes it. */
function parseJobs(configs: readonly JobConfig[]): Job[] {
  const now = new Date();
  const problems: string[] = [];
  const jobs = new Map<string, Job>();
  for (const config of configs) {
    const job = parseJob(config, now);
    if (typeof job === "string") problems.push(`job ${JSON.stringify(config.name)}: ${job}`);
    else if (jobs.has(job.name)) problems.push(`job ${JSON.stringify(job.name)}: two jobs have this name`);
    else jobs.set(job.name, job);
  }
  if (problems.length === 0) return [...jobs.values()];
  const hint = "Correct `jobs` in connectors.yml; saving the file starts the connector again.";
  throw stop(problems.join("; "), hint, "config_invalid");
}

const handledUntil = (job: Job, last: string, report?: Report): Handled => ({
  cron: job.cron,
  timezone: job.timezone,
  last,
  ...(report === undefined ? {} : { report }),
});

const handledOf = (job: Job, session: Session): Handled => session.handled[job.name] as Handled;
const lastOf = (job: Job, session: Session): Date => new Date(handledOf(job, session).last);

/** Handles what is due of one job. At the start of a session whatever is due was missed. */
async function runJob(job: Job, session: Session, catchingUp: boolean, ctx: Ctx): Promise<void> {
  const now = new Date();
  let after = lastOf(job, session);
  if (after.getTime() - now.getTime() > wrongClockMs) {
    ctx.log.warn("clock.stepped_back", { job: job.name, handled_until: after.toISOString() });
    return note(job, now.toISOString(), session, ctx);
  }
  while (!ctx.signal.aborted) {
    const due = dueRuns(job.times, after, now);
    if (due === undefined) return;
    const missed = catchingUp || now.getTime() - due.first.getTime() > lateMs;
    after = missed ? due.last : due.first;
    const report = missed ? reportOf(due) : { missed: 0 };
    if (missed) ctx.log.info("job.missed", { job: job.name, ...report, then: job.missed });
    const last = after.toISOString();
    if (missed && job.missed === "skip") await note(job, last, session, ctx);
    else await deliver(job, last, report, session, ctx);
  }
}

function reportOf({ first, count, capped }: Due): Report {
  const report = { missed: count, missed_since: first.toISOString() };
  return capped ? { ...report, missed_capped: true } : report;
}

async function deliver(job: Job, scheduled: string, report: Report, session: Session, ctx: Ctx) {
  await note(job, scheduled, session, ctx, report);
  await ctx.deliver({
    key: [job.name, scheduled],
    kind: "event",
    occurred_at: scheduled,
    conversation: { id: job.conversation_id ?? job.name, type: "other", name: job.name },
    content: { text: job.text ?? job.name, format: "plain" },
    raw: { job: job.name, cron: job.cron, timezone: job.timezone, scheduled_for: scheduled, ...report },
  });
  await note(job, scheduled, session, ctx);
}

async function note(job: Job, last: string, session: Session, ctx: Ctx, report?: Report): Promise<void> {
  session.handled[job.name] = handledUntil(job, last, report);
  await ctx.state.set("jobs", session.handled);
}
