// One random program on the model of the disk: a few scenarios at once, cut at every step, some of the legal states of each cut started again and judged; and a few of
// these starts cut at every step as well.
import { type Entry, Ledger } from "../helpers/ledger.ts";
import { type Random, seededRandom } from "../helpers/random.ts";
import type { ModelFileSystem } from "./disk-model.ts";
import { recoverAndJudge } from "./judge.ts";
import { ModelDisk, modelRoot } from "./model-disk.ts";
import { afterCut, type Inode, type Mood, signatureOf, survivalOf } from "./model-inode.ts";
import { type Prepared, type Scenario, scenarios } from "./scenarios.ts";
import { World, type WorldOptions } from "./world.ts";

/** What one cut left. */
interface Remains {
  root: Inode;
  /** So much had been promised by then. */
  entries: number;
  step: number;
  mood: Mood;
}

export interface ProgramOptions {
  seed: number;
  /** This one alone; absent: some by chance. */
  scenario?: Scenario;
  /** States judged at one cut: the first is what a kill leaves, the second what is on the disk for certain. */
  statesPerStep: number;
  /** Only this state: one that failed before. */
  only?: string;
  /** True: what is left is not judged. */
  isOver?: () => boolean;
}

export interface ProgramResult {
  scenarios: string[];
  steps: number;
  states: number;
  /** Of them: cuts of a start after a cut. */
  secondCuts: number;
  failures: Failure[];
}

export interface Failure {
  seed: number;
  /** For `only`. */
  state: string;
  scenarios: string[];
  problems: string[];
  /** The disk as the start found it, and what had been promised. */
  disk: string[];
  promised: Entry[];
}

/** So many starts run at once: most of their time is spent waiting for timers. */
const parallel = 24;

export class Program {
  readonly #files: ModelFileSystem;
  readonly #options: ProgramOptions;
  readonly #random: Random;
  readonly #seen = new Set<string>();
  readonly #worldOptions: WorldOptions;
  readonly #chosen: Scenario[];
  readonly #result: ProgramResult;

  constructor(files: ModelFileSystem, options: ProgramOptions) {
    this.#files = files;
    this.#options = options;
    this.#random = seededRandom(options.seed);
    this.#worldOptions = { onUncertain: this.#random.chance(0.2) ? "hold" : "resend" };
    this.#chosen = options.scenario === undefined ? choose(this.#random) : [options.scenario];
    const names = this.#chosen.map((one) => one.name);
    this.#result = { scenarios: names, steps: 0, states: 0, secondCuts: 0, failures: [] };
  }

  async run(): Promise<ProgramResult> {
    const remains = await this.#perform();
    this.#result.steps = remains.at(-1)?.step ?? 0;
    await this.#judgeAll(remains, "");
    return this.#result;
  }

  readonly #ledger = new Ledger();

  /** Runs the program to its end; returns what cuts at all its steps would have left. */
  async #perform(): Promise<Remains[]> {
    const disk = this.#mount("program");
    const world = new World(`${modelRoot}/program/spool`, this.#ledger, this.#worldOptions);
    // Answers come in any order.
    const waiting: Array<() => void> = [];
    disk.schedule = (answer) => {
      waiting.push(answer);
      setImmediate(() => waiting.splice(this.#random.below(waiting.length), 1)[0]?.());
    };
    const prepared: Prepared[] = [];
    for (const scenario of this.#chosen) prepared.push(await scenario.prepare(world));
    const remains: Remains[] = [];
    let step = 0;
    const look = (): void => {
      step += 1;
      for (let n = 0; n < this.#options.statesPerStep; n += 1) {
        const mood: Mood = n === 0 ? "everything" : n === 1 ? "nothing" : "anything";
        const entries = this.#ledger.entries.length;
        remains.push(...this.#cut({ disk, random: this.#random, mood, step, entries, branch: "" }));
      }
    };
    disk.onStep = look;
    await Promise.all(this.#chosen.map((scenario, n) => scenario.act(world, prepared[n] ?? {})));
    look();
    disk.onStep = () => undefined;
    world.abandon();
    this.#files.disks.delete("program");
    return remains;
  }

  /** A state that a cut at this moment may leave; none if the same was there before with the same promises. */
  #cut(at: {
    disk: ModelDisk;
    random: Random;
    mood: Mood;
    step: number;
    entries: number;
    branch: string;
  }): Remains[] {
    const { disk, random, mood, step, entries, branch } = at;
    const root = afterCut(disk.root, survivalOf(disk.dirty, mood, random), nameAfter);
    const signature = `${branch} ${entries} ${mood === "everything"} ${signatureOf(root)}`;
    if (this.#seen.has(signature)) return [];
    this.#seen.add(signature);
    return [{ root, entries, step, mood }];
  }

  async #judgeAll(
    remains: Remains[],
    before: string,
    promised: readonly Entry[] = this.#ledger.entries,
  ): Promise<void> {
    let next = 0;
    const judgeNext = async (slot: number): Promise<void> => {
      for (;;) {
        const one = remains[next];
        const state = `${before}${next}`;
        next += 1;
        const { only, isOver } = this.#options;
        if (one === undefined || isOver?.()) return;
        if (only === undefined || only === state || only.startsWith(`${state}/`))
          await this.#judge(one, `${before.replaceAll("/", "-")}${slot}`, state, promised);
      }
    };
    await Promise.all(Array.from({ length: before === "" ? parallel : 4 }, (_, slot) => judgeNext(slot)));
  }

  async #judge(remains: Remains, slot: string, state: string, promised: readonly Entry[]): Promise<void> {
    const disk = this.#mount(slot, remains.root);
    const ledger = new Ledger(promised.slice(0, remains.entries));
    const world = new World(`${modelRoot}/${slot}/spool`, ledger, this.#worldOptions);
    const isKill = remains.mood === "everything";
    const isFirst = !state.includes("/");
    const number = Number(state.split("/").at(-1));
    const second: Remains[] = [];
    // Not drawn: starts run beside each other, and what they draw would depend on who comes first.
    if (isFirst && number % 40 === 7) {
      let step = 0;
      const random = seededRandom(this.#options.seed + number);
      disk.onStep = () => {
        step += 1;
        const mood: Mood = step % 4 === 0 ? "everything" : step % 4 === 1 ? "nothing" : "anything";
        second.push(
          ...this.#cut({ disk, random, mood, step, entries: ledger.entries.length, branch: state }),
        );
      };
    }
    // Every state again with its disk: a failure is repeated for that, alone.
    const before = this.#options.only === undefined ? [] : namesIn(remains.root);
    const problems = await recoverAndJudge(world, {
      oldNames: true,
      connectorOnly: isKill && number % 2 === 0 && this.#chosen.every((one) => one.alone !== true),
    });
    disk.onStep = () => undefined;
    this.#files.disks.delete(slot);
    this.#result.states += 1;
    if (!isFirst) this.#result.secondCuts += 1;
    if (problems.length > 0)
      this.#result.failures.push({
        seed: this.#options.seed,
        state,
        scenarios: this.#result.scenarios,
        problems,
        disk: [`cut at step ${remains.step}, ${remains.mood} survived`, ...before],
        promised: promised.slice(0, remains.entries),
      });
    if (second.length > 0) await this.#judgeAll(second, `${state}/`, ledger.entries);
  }

  #mount(slot: string, root?: Inode): ModelDisk {
    const disk = new ModelDisk(root);
    this.#files.disks.set(slot, disk);
    return disk;
  }
}

/** One that needs a world of its own, or up to three beside each other, some of them twice. */
function choose(random: Random): Scenario[] {
  const pick = (from: readonly Scenario[]): Scenario[] => from.slice(random.below(from.length)).slice(0, 1);
  const alone = scenarios.filter((one) => one.alone);
  if (random.chance(0.07)) return pick(alone);
  const others = scenarios.filter((one) => !one.alone);
  return Array.from({ length: 1 + random.below(3) }).flatMap(() => pick(others));
}

/** After the cut other processes run: what this one left in tmp/ is nobody's. */
function nameAfter(folder: string, name: string): string {
  return folder === "tmp" ? name.replace(`-${process.pid}-`, "-999999999-") : name;
}

/** Every file on the disk with its first bytes, for the report of a failure. */
function namesIn(folder: Inode, path = ""): string[] {
  return [...folder.entries].flatMap(([name, inode]) => {
    const at = `${path}/${name}`;
    if (inode.kind === "folder") return namesIn(inode, at);
    if (inode.kind === "database") return [`${at}: ${inode.commits.length} commits`];
    return [`${at}: ${inode.bytes.length} bytes ${JSON.stringify(inode.bytes.toString("utf8", 0, 60))}`];
  });
}
