// A spool as any other program sees it: files, read and written naively. Base of Bus and of ConnectorProcess.
import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type {
  ConnectorStatus,
  DeadLetter,
  Heartbeat,
  InboundEvent,
  Receipt,
  SupervisorStatus,
} from "../../schema/types.ts";
import { GiveUp, waitFor, type WaitOptions } from "./wait.ts";

/** A string is the event's text. */
export type EventFilter = string | ((event: InboundEvent) => boolean);

export abstract class Spool {
  /** Absolute path of spool/. */
  readonly spool: string;
  private readonly events_ = new Map<string, InboundEvent>();
  private drops = 0;

  constructor(spool: string) {
    this.spool = spool;
  }

  /** What the processes behind this spool printed. */
  abstract logs(): string;

  /** Any program that can write a file: no temporary name, no rename, no fsync. Returns the path. */
  drop(name: string, message: unknown, fileName = `${process.pid}-${++this.drops}.json`): string {
    const folder = join(this.spool, "outbox", name);
    mkdirSync(folder, { recursive: true });
    const path = join(folder, fileName);
    const bytes =
      typeof message === "string" || message instanceof Uint8Array ? message : JSON.stringify(message);
    writeFileSync(path, bytes);
    return path;
  }

  /** Drops a message with its id, or one made up; returns the id. */
  send(name: string, message: Record<string, unknown>): string {
    const id = typeof message.id === "string" ? message.id : randomUUID();
    this.drop(name, { ...message, id });
    return id;
  }

  /** The events in inbox/, oldest first. */
  events(filter?: EventFilter): InboundEvent[] {
    const all = this.list("inbox").map((file) => this.event(file));
    if (filter === undefined) return all;
    return all.filter(typeof filter === "string" ? (event) => event.content?.text === filter : filter);
  }

  async waitForEvent(filter: EventFilter, options: WaitOptions = {}): Promise<InboundEvent> {
    const texts = () => JSON.stringify(this.events().map((event) => event.content?.text));
    return waitFor(() => this.events(filter)[0], {
      message: () =>
        `the event ${String(filter)}; there are ${texts().slice(0, 2000)}\n${this.logs().slice(-3000)}`,
      ...options,
    });
  }

  receipt(name: string, id: string): Receipt | undefined {
    return this.json(`sent/${name}/${id}.json`);
  }

  deadLetter(name: string, id: string): DeadLetter | undefined {
    return this.json(`failed/${name}/${id}.json`);
  }

  deadLetters(name: string): DeadLetter[] {
    const files = this.list(`failed/${name}`).filter((file) => file.endsWith(".json"));
    return files.flatMap((file) => this.json<DeadLetter>(`failed/${name}/${file}`) ?? []);
  }

  /** Gives up at once when it became a dead letter. */
  async waitForReceipt(name: string, id: string, options: WaitOptions = {}): Promise<Receipt> {
    const find = () => {
      const dead = this.deadLetter(name, id);
      if (dead) throw new GiveUp(`${id} became a dead letter: ${JSON.stringify(dead)}`);
      return this.receipt(name, id);
    };
    return waitFor(find, { message: () => `the receipt of ${id}\n${this.where(name)}`, ...options });
  }

  /** Waits for the dead letter of an id, or for the first one that `wanted` accepts. */
  async waitForDeadLetter(
    name: string,
    wanted: string | ((letter: DeadLetter) => boolean),
    options: WaitOptions = {},
  ): Promise<DeadLetter> {
    const find = () =>
      typeof wanted === "string" ? this.deadLetter(name, wanted) : this.deadLetters(name).find(wanted);
    return waitFor(find, { message: () => `a dead letter\n${this.where(name)}`, ...options });
  }

  /** heartbeat/_supervisor.json; undefined before the first. */
  status(): SupervisorStatus | undefined {
    return this.json("heartbeat/_supervisor.json");
  }

  /** What the supervisor says of one connector. */
  connector(name: string): ConnectorStatus | undefined {
    return this.status()?.connectors.find((one) => one.name === name);
  }

  heartbeat(name: string): Heartbeat | undefined {
    return this.json(`heartbeat/${name}.json`);
  }

  pause(name: string, reason = "a test"): void {
    writeFileSync(join(this.spool, "control", `${name}.pause`), reason);
  }

  resume(name: string): void {
    rmSync(join(this.spool, "control", `${name}.pause`));
  }

  /** The names in one of the spool's folders, sorted; none when it does not exist. */
  list(folder: string): string[] {
    const path = join(this.spool, folder);
    return existsSync(path) ? readdirSync(path).sort() : [];
  }

  /** A JSON file of the spool, undefined when it is not there. */
  json<T>(path: string): T | undefined {
    try {
      return JSON.parse(readFileSync(join(this.spool, path), "utf8")) as T;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
  }

  /** What lies where for one connector, for the error of a wait. */
  where(name: string): string {
    const folders = ["outbox", "sending", "retry", "sent", "failed"].map((folder) => `${folder}/${name}`);
    const lines = folders.map((folder) => `${folder}: ${this.list(folder).slice(0, 5).join(" ")}`);
    return [...lines, this.logs().slice(-3000)].join("\n");
  }

  /** Inbox files never change, so each is read once. */
  private event(file: string): InboundEvent {
    let event = this.events_.get(file);
    if (event === undefined) {
      event = JSON.parse(readFileSync(join(this.spool, "inbox", file), "utf8")) as InboundEvent;
      this.events_.set(file, event);
    }
    return event;
  }
}
