// One bus of the soak: its platforms, their traffic, the programs around it, and who is killed.
//
//   stormy   supervisor and connector are killed, connections are reset
//   calm     one connector is killed, the supervisor and the other connector live as long as the run: what they hold must stay flat
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Bus } from "../helpers/bus.ts";
import { killPid } from "../helpers/children.ts";
import { Oracle } from "../helpers/oracle.ts";
import { type Random, seededRandom } from "../helpers/random.ts";
import { Wire, wireType } from "../helpers/servers/wire.ts";
import { moodyAnswers, Traffic } from "../helpers/traffic.ts";
import { waitFor } from "../helpers/wait.ts";
import { Consumer } from "./consumer.ts";
import type { Samples } from "./samples.ts";
import { type Tally, tallyOf } from "./tally.ts";

export interface StormOptions {
  name: string;
  seed: number;
  /** Connectors that live as long as their supervisor, beside "victim", which does not. */
  spared: readonly string[];
  killsSupervisor: boolean;
  /** Up to so long between two kills. */
  pauseMs: number;
}

interface Line {
  connector: string;
  wire: Wire;
  traffic: Traffic;
}

export class Storm {
  readonly kills = { connector: 0, supervisor: 0, connection: 0 };
  readonly problems: string[] = [];
  readonly name: string;
  private readonly options: StormOptions;
  private readonly random: Random;
  private readonly home: string;
  private bus!: Bus;
  private consumer!: Consumer;
  private lines: Line[] = [];

  constructor(options: StormOptions) {
    this.options = options;
    this.name = options.name;
    this.random = seededRandom(options.seed);
    this.home = mkdtempSync(join(tmpdir(), "spoolway-soak-"));
  }

  async start(): Promise<void> {
    const connectors = ["victim", ...this.options.spared];
    const wires = connectors.map(() => new Wire(moodyAnswers(this.random)));
    await Promise.all(wires.map((wire) => wire.listen()));
    this.bus = new Bus({
      home: this.home,
      connectors: connectors.map((name, n) => ({ name, type: wireType, port: wires[n]?.port })),
      defaults: {
        // So many tries and crashes are the soak's doing: they must not end anything.
        connector: { retry: { attempts: 100, base: "10ms", max: "100ms" }, concurrency: 8 },
        supervisor: { backoff_base: "20ms", backoff_max: "100ms", park_crashes: 1000 },
      },
    });
    this.lines = connectors.flatMap((connector, n) => {
      const wire = wires[n];
      if (wire === undefined) return [];
      const traffic = new Traffic(this.bus, wire, this.random, { name: connector, everyMs: 100 });
      return [{ connector, wire, traffic }];
    });
    this.consumer = new Consumer(this.bus, connectors);
    await this.bus.start();
  }

  /** Load and kills until the signal aborts; then until everything is settled and the bus has stopped. */
  async run(signal: AbortSignal): Promise<void> {
    const consuming = new AbortController();
    const flowing = this.lines.map(({ traffic }) => traffic.flow(signal));
    const consumed = this.consumer.consume(consuming.signal);
    try {
      while (!signal.aborted) await this.killSomething();
      await Promise.all(flowing);
      await waitFor(() => this.settled(), {
        timeoutMs: 120_000,
        everyMs: 200,
        message: () =>
          `all to be settled\n${this.lines.map(({ connector }) => this.bus.where(connector)).join("\n")}`,
      });
      await this.bus.stop();
    } finally {
      consuming.abort();
      await consumed;
    }
    this.consumer.takeAll();
  }

  /** Frees everything; the home stays when something was wrong. */
  async end(keep: boolean): Promise<void> {
    if (this.bus.running) await this.bus.kill();
    for (const { wire } of this.lines) await wire.close();
    if (!keep) rmSync(this.home, { recursive: true, force: true });
    else console.error(`${this.name}: the home of the failed soak: ${this.home}`);
  }

  sample(samples: Samples): void {
    if (this.bus.running) samples.take(`${this.name} supervisor`, this.bus.pid);
    for (const { connector } of this.lines) samples.take(`${this.name} ${connector}`, this.pidOf(connector));
  }

  get messages(): { out: number; in: number } {
    const sum = (count: (line: Line) => number) => this.lines.reduce((total, line) => total + count(line), 0);
    return { out: sum(({ traffic }) => traffic.dropped.size), in: sum(({ wire }) => wire.said.length) };
  }

  tallies(): Tally[] {
    this.problems.push(...this.consumer.problems);
    return this.lines.map((line) => tallyOf(line.connector, line.wire, line.traffic, this.consumer));
  }

  private async killSomething(): Promise<void> {
    // Two in three times the victim gets as far as its session, and dies in the flow; else somewhere in its start.
    const victim = this.lines[0];
    if (victim === undefined) return;
    const hellos = victim.wire.hellos.length;
    if (this.random.chance(0.67)) {
      await waitFor(() => victim.wire.connected, { timeoutMs: 60_000, message: `${this.name}: the victim` });
    }
    await delay(this.random.below(this.options.pauseMs));
    const dice = this.random.next();
    if (dice < 0.05) {
      victim.wire.reset();
      this.kills.connection += 1;
    } else if (dice < 0.25 && this.options.killsSupervisor) {
      await this.killSupervisor();
    } else if (this.killVictim()) {
      this.kills.connector += 1;
      await waitFor(() => victim.wire.hellos.length > hellos || this.random.chance(0.01), {
        timeoutMs: 60_000,
      });
    }
  }

  private async killSupervisor(): Promise<void> {
    await this.bus.kill();
    this.kills.supervisor += 1;
    for (const { connector, traffic } of this.lines) {
      const settled = this.consumer.outcomes.get(connector);
      const left = [...traffic.dropped.keys()].filter((id) => settled?.has(id) !== true);
      this.problems.push(...new Oracle(this.bus.spool, connector).checkStill(left));
    }
    await this.bus.start("nothing");
  }

  private killVictim(): boolean {
    const pid = this.pidOf("victim");
    return pid !== undefined && killPid(pid); // it may be between two lives
  }

  private pidOf(connector: string): number | undefined {
    return this.bus.connector(connector)?.pid;
  }

  private settled(): boolean {
    return this.lines.every(
      ({ connector, wire, traffic }) =>
        wire.waiting === 0 && traffic.settled(this.consumer.removed(connector)),
    );
  }
}
