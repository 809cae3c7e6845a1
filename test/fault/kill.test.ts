// Promises 1, 2 and 3 while processes die: the connector and the supervisor are killed with SIGKILL at random moments while messages flow both ways. Nothing is lost,
// every accepted message ends in exactly one state, conversations keep their order, and what is sent twice has the same id.
//
// SPOOLWAY_KILLS (default 60) and SPOOLWAY_SEED are parameters. A seed repeats the choices; the machine's timing stays its own.
import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { type Bus, startBus } from "../helpers/bus.ts";
import { killPid } from "../helpers/children.ts";
import { Oracle } from "../helpers/oracle.ts";
import { seededRandom } from "../helpers/random.ts";
import { startWire, type Wire, wireType } from "../helpers/servers/wire.ts";
import { moodyAnswers, Traffic } from "../helpers/traffic.ts";
import { waitFor } from "../helpers/wait.ts";

const kills = Number(process.env.SPOOLWAY_KILLS ?? 60);
const seed = Number(process.env.SPOOLWAY_SEED ?? Math.floor(Math.random() * 2 ** 31));

test(
  "no message is lost, doubled or out of order, whatever is killed",
  { timeout: 120_000 + kills * 6000 },
  async () => {
    const random = seededRandom(seed);
    const wire = await startWire(moodyAnswers(random));
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
    expect(traffic.orderIn(oracle.inbox()), `seed ${seed}`).toEqual([]);
    console.log(
      `killed ${done.connector} connectors, ${done.supervisor} supervisors, reset ${done.connection} connections; ` +
        `${traffic.dropped.size} messages out (${traffic.sentTwice()} sent twice, with the same id), ${wire.said.length} in`,
    );
  },
);

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
  return killPid(pid); // it may be between two lives
}

let lastKilled = 0;
