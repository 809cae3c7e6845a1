// The world of a fault scenario: a spool, the parts of a connector's process that work on it, producers that drop, and a platform that says and gets messages. The
// spool may lie on a real disk or in a model (useFileSystem): everything goes through runtime/spool. What is promised on the way goes into the ledger.
//
// The parts are the real ones, put together as runtime/connector/process.ts does; only the session is missing, and in its place stands the scenario, which says when
// each of them acts. So the order of the calls is the same in every run.
import { join } from "node:path";
import type { ConnectorSettings } from "../../runtime/config/model.ts";
import { Handler } from "../../runtime/connector/handler.ts";
import { type Item, Lanes } from "../../runtime/connector/lanes.ts";
import { Looker } from "../../runtime/connector/looker.ts";
import { Schedule } from "../../runtime/connector/schedule.ts";
import { type HaltingPort, type Outcome, Sender } from "../../runtime/connector/sender.ts";
import { newStatus, type Status } from "../../runtime/connector/status.ts";
import { SpoolwayError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/sdk.ts";
import { claimDrop } from "../../runtime/spool/claim.ts";
import { drop as dropDurably } from "../../runtime/spool/drop.ts";
import { fs } from "../../runtime/spool/fs.ts";
import { sha256 } from "../../runtime/spool/hash.ts";
import { InboxWriter } from "../../runtime/spool/inbox.ts";
import { dropId, eventId, spoolPaths, type SpoolPaths } from "../../runtime/spool/names.ts";
import { Outbox } from "../../runtime/spool/outbox.ts";
import type { Accepted } from "../../runtime/spool/records.ts";
import { openConnector, openSpool } from "../../runtime/spool/spool.ts";
import { LazyStateDb } from "../../runtime/spool/statedb.ts";
import type { InboundEvent, OutgoingMessage } from "../../schema/types.ts";
import type { Dropping, Ledger, Said } from "../helpers/ledger.ts";
import { writeNaively } from "../helpers/seam.ts";
import { faultSettings } from "./world-settings.ts";

/** The parts of one connector's process. */
export interface Parts {
  paths: SpoolPaths;
  state: LazyStateDb;
  inbox: InboxWriter;
  outbox: Outbox;
  sender: Sender;
  handler: Handler;
  status: Status;
}

export interface WorldOptions {
  onUncertain?: ConnectorSettings["onUncertain"];
}

export class World {
  readonly root: string;
  readonly connector = "one";
  readonly ledger: Ledger;
  readonly settings: ConnectorSettings;
  /** Warnings and errors, for the report of a failure. */
  readonly warnings: string[] = [];
  #parts: Promise<Parts> | undefined;
  readonly #schedules: Schedule[] = [];
  /** Aborts when the process is gone: what it still tried again comes to an end. */
  #gone = new AbortController();
  #counter: number;

  constructor(root: string, ledger: Ledger, options: WorldOptions = {}) {
    this.root = root;
    this.ledger = ledger;
    this.settings = { ...faultSettings, onUncertain: options.onUncertain ?? "resend" };
    // Numbers go on after a crash: no name is used twice.
    this.#counter = ledger.entries.length;
  }

  /** The paths of the connector, whether they are there or not. */
  get paths(): SpoolPaths {
    return spoolPaths(this.root, this.connector);
  }

  /** A number that nobody had: for ids, names, conversations. Sorts as text. */
  next(): string {
    this.#counter += 1;
    return String(this.#counter).padStart(5, "0");
  }

  /** The supervisor's and the connector's start, as far as the spool is concerned. Only the first call does something. */
  start(): Promise<Parts> {
    return (this.#parts ??= this.persist(async () => {
      await openSpool(this.root);
      return this.makeParts();
    }));
  }

  /** The start of the connector's process alone: the supervisor lives on. */
  startAgain(): Promise<Parts> {
    return (this.#parts ??= this.persist(() => this.makeParts()));
  }

  /** What a connector's process makes when it starts. */
  async makeParts(): Promise<Parts> {
    const paths = await openConnector(this.root, this.connector);
    const state = new LazyStateDb(paths, this.settings.seenKeepMs);
    const inbox = new InboxWriter(paths, state);
    const outbox = new Outbox(this.connector, paths, this.settings);
    const status = newStatus();
    const sender = new Sender(outbox, this.settings, status, this.log, this.#gone.signal);
    const schedule = new Schedule(() => undefined);
    this.#schedules.push(schedule);
    // Neither started nor asked: the handler only tells it which names are free again.
    const looker = new Looker(outbox, new Lanes(), this.settings, status, this.log, {
      wanted: () => 0,
      isStarving: () => false,
      ready: () => undefined,
      isTaken: () => false,
    });
    const handler = new Handler(outbox, sender, looker, schedule, status, this.log);
    return { paths, state, inbox, outbox, sender, handler, status };
  }

  /** A shutdown in good order. */
  async stop(): Promise<void> {
    const parts = await this.#parts;
    this.abandon();
    await parts?.inbox.idle();
    await parts?.state.close();
  }

  /** The process is gone: what it had in memory is nobody's any more, and nothing of it wakes again. */
  abandon(): void {
    for (const schedule of this.#schedules.splice(0)) schedule.close();
    this.#gone.abort();
    this.#gone = new AbortController();
    this.#parts = undefined;
  }

  /** What the platform does with what we send: it remembers, and answers by the text. */
  readonly port: HaltingPort = {
    signal: new AbortController().signal,
    halt: () => undefined,
    reconcile: async () => undefined,
    send: async (message) => {
      const { id, conversation_id: conversation, text = "" } = message;
      // It is only sent once its claim is durable.
      this.ledger.add({ what: "accepted", id });
      const answer = this.ledger.nextAnswer(id, text);
      this.ledger.add({ what: "arrived", id, conversation, answer });
      if (answer === "no") throw new SpoolwayError("rejected", "no");
      if (answer === "busy") throw new SpoolwayError("send_failed", "busy");
      if (answer === "late") throw new SpoolwayError("timed_out", "no answer");
      return { platform_id: `p-${id}` };
    },
  };

  /** What the pump does with the head of a lane. A step that failed is tried again, as after the reconnect that follows it. */
  async handle(item: Item): Promise<Outcome | undefined> {
    const { handler } = await this.start();
    return this.persist(() => handler.handle(this.port, item));
  }

  /** Claims what was dropped, and no more. */
  async claim({ file, id }: Dropped): Promise<Accepted> {
    const { outbox } = await this.start();
    const drop = outbox.read(file);
    if (drop.kind !== "message") throw new Error(`${file} is ${drop.kind}`);
    const claim = await this.persist(() => claimDrop(outbox, file, drop));
    if (claim.kind !== "claimed") throw new Error(`${file} is ${claim.kind}`);
    this.ledger.add({ what: "accepted", id });
    return claim.entry;
  }

  /** Claims and sends what was dropped as `file`; returns its name in retry/ when it has to wait. */
  async send({ file, id }: Dropped): Promise<string | undefined> {
    const outcome = await this.handle({ kind: "drop", file, mtimeMs: 0, priority: 0, drop: undefined });
    const dropping = this.ledger.of("dropping").find((entry) => entry.file === file);
    if (dropping?.as === "conflicting") this.ledger.add({ what: "refused", file });
    if (dropping?.as === "repeated") this.ledger.add({ what: "removed", file });
    return this.#note(id, outcome);
  }

  /** Claims and sends what lies in retry/ as `file`. */
  async resend(file: string, id: string): Promise<string | undefined> {
    return this.#note(id, await this.handle({ kind: "retry", file, id }));
  }

  #note(id: string, outcome: Outcome | undefined): string | undefined {
    if (outcome?.kind === "waiting") return outcome.file;
    if (outcome?.kind === "settled") {
      const wasRefused = this.ledger.of("arrived").findLast((entry) => entry.id === id)?.answer !== "ok";
      this.ledger.add({ what: "settled", id, as: wasRefused ? "failed" : "sent" });
    }
    return undefined;
  }

  /** Tries again what failed, as whoever called it would: the platform, the pump, a person. Gives up after a few times. */
  async persist<T>(act: () => Promise<T>): Promise<T> {
    for (let left = 3; ; left -= 1) {
      try {
        return await act();
      } catch (error) {
        if (left === 0 || !isPassing(error)) throw error;
        this.warnings.push(`again after ${(error as Error).message}`);
      }
    }
  }

  /** A program that writes a file, and nothing more. For `prepare`: what it leaves when it is killed itself is its own. */
  dropNaively(
    message: Partial<OutgoingMessage> | string,
    more: Partial<Pick<Dropping, "as" | "isScheduled" | "isExpired">> = {},
  ): Dropped {
    const file = `d${this.next()}.json`;
    const bytes = Buffer.from(typeof message === "string" ? message : JSON.stringify(message));
    const path = join(this.paths.outbox, file);
    writeNaively(path, bytes);
    const derived = dropId(this.connector, file, fs.lstatSync(path, { bigint: true }).mtimeNs, bytes);
    const { id = derived, conversation_id = "", text = "" } = typeof message === "string" ? {} : message;
    const own = more.as === "conflicting" ? `${id}+${sha256(bytes).slice(0, 8)}` : id;
    this.ledger.add({
      what: "dropping",
      file,
      id: own,
      conversation: conversation_id,
      text: typeof message === "string" ? message : text,
      bytes: bytes.toString(),
      as: "message",
      ...more,
    });
    return { file, id: own };
  }

  /** `spoolway send`: on stable storage when it resolves. */
  async dropDurably(text: string, conversation = `c${this.next()}`): Promise<Dropped> {
    const id = `m${this.next()}`;
    this.ledger.add({ what: "dropping", file: id, id, conversation, text, as: "message" });
    const message = { id, conversation_id: conversation, text };
    const { file } = await this.persist(() => dropDurably(this.root, this.connector, message));
    this.ledger.add({ what: "dropped", file: id });
    return { file, id };
  }

  /** The platform has an event for us; it keeps it until it is delivered. */
  say(conversation: string, cursor?: number): Said {
    const key = `k${this.next()}`;
    const id = eventId(this.connector, [conversation, key]);
    const said: Said = {
      what: "said",
      key,
      id,
      conversation,
      text: `in ${key}`,
      ...(cursor === undefined ? {} : { cursor }),
    };
    this.ledger.add(said);
    return said;
  }

  /** What ctx.deliver does with it. */
  async deliver(said: Said, parts?: Parts): Promise<void> {
    const { inbox } = parts ?? (await this.start());
    await this.persist(() => inbox.deliver(said.id, eventBytes(this.connector, said)));
    this.ledger.add({ what: "delivered", id: said.id });
  }

  readonly log: Logger = {
    debug: () => undefined,
    info: () => undefined,
    warn: (event, fields) => void this.warnings.push(`${event} ${JSON.stringify(fields)}`),
    error: (event, fields) =>
      void this.warnings.push(
        `${event} ${(fields?.error as Error | undefined)?.stack ?? JSON.stringify(fields)}`,
      ),
  };
}

/** The event as ctx.deliver writes it. */
export function eventBytes(instance: string, said: Said): Buffer {
  const event: InboundEvent = {
    version: 1,
    id: said.id,
    kind: "message",
    received_at: new Date().toISOString(),
    connector: { type: "test", instance },
    conversation: { id: said.conversation },
    content: { text: said.text },
  };
  return Buffer.from(`${JSON.stringify(event)}\n`);
}

export interface Dropped {
  /** Its name in outbox/. */
  file: string;
  /** The id that it will be found under. */
  id: string;
}

/** Whether the cause may be gone the next time: an error of the disk. */
function isPassing(error: unknown): boolean {
  if (error instanceof SpoolwayError)
    return ["spool_write_failed", "spool_full", "spool_unusable"].includes(error.code);
  return ["EIO", "ENOSPC", "EMFILE", "ERR_SQLITE_ERROR"].includes(
    (error as NodeJS.ErrnoException).code ?? "",
  );
}
