// Promises 1, 2 and 3 while processes die: the connector and the supervisor are killed with SIGKILL at random moments while messages flow both ways. Nothing is lost,
// every accepted message ends in exactly one state, conversations keep their order, and what is sent twice has the same id.
//
// SPOOLWAY_KILLS (default 200) and SPOOLWAY_SEED are parameters. A seed repeats the choices; the machine's timing stays its own.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { type Bus, startBus } from "../helpers/bus.ts";
import { Oracle, orderProblem } from "../helpers/oracle.ts";
import { type Random, seededRandom } from "../helpers/random.ts";
import { startWire, type Wire, wireType } from "../helpers/servers/wire.ts";
import { waitFor } from "../helpers/wait.ts";

const kills = Number(process.env.SPOOLWAY_KILLS ?? 200);
const seed = Number(process.env.SPOOLWAY_SEED ?? Math.floor(Math.random() * 2 ** 31));
const conversations = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta"];
/** A text that the platform refuses for good. */
const poison = "poison";

test(
  "no message is lost, doubled or out of order, whatever is killed",
  { timeout: 120_000 + kills * 6000 },
  async () => {
    const random = seededRandom(seed);
    const wire = await startWire((_id, text) => answer(random, text));
    const bus = await startBus({
      connectors: [{ name: "wire", type: wireType, port: wire.port }],
      defaults: {
        // So many tries and crashes are the test's doing: they must not end anything.
        connector: { retry: { attempts: 100, base: "10ms", max: "100ms" }, concurrency: 8 },
        supervisor: { backoff_base: "20ms", backoff_max: "100ms", park_crashes: 1000 },
      },
    });
    const traffic = new Traffic(bus, wire, random);
    const oracle = new Oracle(bus.spool, "wire");
    console.log(`seed ${seed}, ${kills} kills`);

    const done = { connector: 0, supervisor: 0, connection: 0 };
    const flow = new AbortController();
    const flowing = traffic.flow(flow.signal);
    while (done.connector + done.supervisor < kills) {
      const dice = random.next();
      // Two in three times it gets as far as its session, and dies in the flow; else somewhere in its start, or before it exists.
      if (random.chance(0.67)) await connected(wire);
      await delay(random.below(300));
      if (dice < 0.05) {
        wire.reset();
        done.connection++;
      } else if (dice < 0.75) {
        if (await killConnector(bus)) done.connector++;
      } else {
        await bus.kill();
        done.supervisor++;
        expect(oracle.checkStill(traffic.dropped.keys()), `seed ${seed}`).toEqual([]);
        await bus.start("nothing");
      }
    }
    flow.abort();
    await flowing;

    await waitFor(() => wire.waiting === 0 && traffic.settled(), {
      timeoutMs: 60_000 + kills * 100,
      everyMs: 200,
      message: () => `all to be settled; ${wire.waiting} unacknowledged\n${bus.where("wire")}`,
    });
    await bus.stop();

    expect(oracle.checkSettled(traffic.expected()), `seed ${seed}`).toEqual([]);
    expect(traffic.orderOut(), `seed ${seed}`).toEqual([]);
    expect(traffic.orderIn(oracle), `seed ${seed}`).toEqual([]);
    const arrived = [...wire.arrivals.values()].flat();
    const twice = arrived.length - new Set(arrived.map(({ id }) => id)).size;
    console.log(
      `killed ${done.connector} connectors, ${done.supervisor} supervisors, reset ${done.connection} connections; ` +
        `${traffic.dropped.size} messages out (${twice} sent twice, with the same id), ${wire.said.length} in`,
    );
  },
);

/** Mostly yes, a little late; sometimes busy, which is a retry; the poison never. */
function answer(random: Random, text: string): ReturnType<ConstructorParameters<typeof Wire>[0]> {
  if (text.startsWith(poison)) return { answer: "no", afterMs: 0 };
  return { answer: random.chance(0.03) ? "busy" : "ok", afterMs: random.below(15) };
}

/** Resolves when a process that was not killed yet has said hello. */
async function connected(wire: Wire): Promise<void> {
  await waitFor(() => wire.connected && wire.hellos.at(-1) !== lastKilled, {
    timeoutMs: 30_000,
    message: "the connector",
  });
}

/** Kills the connector's process, whatever it is doing; false when there is none at the moment. */
async function killConnector(bus: Bus): Promise<boolean> {
  const pid = bus.connector("wire")?.pid;
  if (pid === undefined || pid === lastKilled) return false;
  lastKilled = pid;
  try {
    process.kill(pid, "SIGKILL");
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    return false; // it was between two lives
  }
}

let lastKilled = 0;

/** The messages of both directions, and what must become of them. */
class Traffic {
  /** id → conversation and text, in the order of dropping. */
  readonly dropped = new Map<string, { conversation: string; text: string }>();
  private readonly bus: Bus;
  private readonly wire: Wire;
  private readonly random: Random;

  constructor(bus: Bus, wire: Wire, random: Random) {
    this.bus = bus;
    this.wire = wire;
    this.random = random;
  }

  /** A few messages each way every few milliseconds, also while nothing runs; waits while more than a few hundred are under way. */
  async flow(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await delay(30);
      for (const conversation of conversations) {
        if (this.random.chance(0.5) && this.wire.waiting < 300)
          this.wire.say(conversation, `in ${this.wire.said.length}`);
        if (this.random.chance(0.5) && this.bus.list("outbox/wire").length < 300) this.drop(conversation);
      }
    }
  }

  /** What every drop must have become. */
  expected(): Map<string, "sent" | "failed"> {
    const all = [...this.dropped].map(
      ([id, { text }]) => [id, text.startsWith(poison) ? "failed" : "sent"] as const,
    );
    return new Map(all);
  }

  settled(): boolean {
    const { bus } = this;
    const left = ["outbox/wire", "retry/wire", "sending/wire"].some((folder) => bus.list(folder).length > 0);
    return !left && bus.list("sent/wire").length + bus.list("failed/wire").length >= this.dropped.size;
  }

  /** Problems in the order in which the platform saw the conversations' messages. */
  orderOut(): string[] {
    return conversations.flatMap((conversation) => {
      const mine = [...this.dropped].filter(([, one]) => one.conversation === conversation);
      const expected = mine.filter(([, { text }]) => !text.startsWith(poison)).map(([id]) => id);
      const seen = (this.wire.arrivals.get(conversation) ?? []).map(({ id }) => id);
      const problem = orderProblem(seen, expected);
      return problem === undefined ? [] : [`out, ${conversation}: ${problem}`];
    });
  }

  /** The same for the inbox; there each event must be exactly once. */
  orderIn(oracle: Oracle): string[] {
    const inbox = oracle.inbox();
    const problems = conversations.flatMap((conversation) => {
      const expected = this.wire.said
        .filter((one) => one.conversation === conversation)
        .map(({ text }) => text);
      const seen = inbox
        .filter((one) => one.conversation?.id === conversation)
        .map((one) => one.content?.text ?? "");
      const problem = orderProblem(seen, expected);
      return problem === undefined ? [] : [`in, ${conversation}: ${problem}`];
    });
    if (inbox.length !== this.wire.said.length) {
      problems.push(`${inbox.length} files for ${this.wire.said.length} events`);
    }
    return problems;
  }

  private drop(conversation: string): void {
    const n = this.dropped.size;
    const id = `m${String(n).padStart(7, "0")}`;
    const text = this.random.chance(0.01) ? `${poison} ${n}` : `out ${n}`;
    this.dropped.set(id, { conversation, text });
    // As naive as a shell: created under its final name, then written, with nothing synced.
    const path = join(this.bus.spool, "outbox/wire", `${id}.json`);
    writeFileSync(path, JSON.stringify({ id, conversation_id: conversation, text }));
  }
}
