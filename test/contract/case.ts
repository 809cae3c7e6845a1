// What one case of the contract stands on: the opened platform, the bus with its connector, and the two questions that nearly every case asks.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect } from "vitest";
import { inbound } from "../../schema/validators/messages.js";
import { type Bus, type BusOptions, startBus } from "../helpers/bus.ts";
import { atEnd, endOfBlock } from "../helpers/children.ts";
import { waitFor } from "../helpers/wait.ts";
import type { Entry, Platform } from "./platform.ts";

/** Quicker than the shipped limits, so that a restart costs a second and not half a minute; the behaviour is the same. */
const quick: NonNullable<BusOptions["defaults"]> = {
  connector: {
    settle: "300ms",
    probe_every: "2s",
    probe_timeout: "4s",
    retry: { attempts: 8, base: "200ms", max: "2s" },
  },
  supervisor: { backoff_base: "200ms", backoff_max: "2s" },
};

export interface Case {
  platform: Platform;
  bus: Bus;
  /** The connector's name. */
  name: string;
  entry: Entry;
}

/** Opens the platform; it is closed when the test ends. */
export async function openPlatform(platform: Platform): Promise<Entry> {
  const folder = mkdtempSync(join(tmpdir(), `spoolway-${platform.type}-`));
  atEnd(async () => {
    await platform.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return platform.open({ folder });
}

/** The bus with the platform's connector and nothing else, live unless told otherwise. */
export async function startCase(
  platform: Platform,
  entry: Entry,
  until: BusOptions["until"] = "live",
): Promise<Case> {
  const name = platform.type;
  const bus = await startBus({
    connectors: [{ name, type: platform.type, ...entry }],
    defaults: quick,
    until,
  });
  if (until === "live") await platform.attach?.(bus);
  return { platform, bus, name, entry };
}

/** Platform and bus, live. */
export async function openCase(platform: Platform): Promise<Case> {
  return startCase(platform, await openPlatform(platform));
}

/** One opened case for all tests of the describe block in which this is called, where none of them changes what the others need: each start costs a second or two. */
export function sharedCase(platform: Platform): () => Case {
  let opened: Case | undefined;
  let end: () => Promise<void>;
  beforeAll(async () => {
    end = endOfBlock();
    opened = await openCase(platform);
  });
  afterAll(() => end());
  return () => {
    if (opened === undefined) throw new Error("the block's case was not opened");
    return opened;
  };
}

let said = 0;
/** A text that nobody said before. */
export const newText = (what: string): string => `${what} ${process.pid}.${++said}`;

/** Says something and waits for its one event. */
export async function receivesOne({ platform, bus }: Case, text = newText("hello")): Promise<void> {
  if (!platform.say) return;
  await platform.say({ conversation: platform.conversation, text });
  const event = await bus.waitForEvent(text, { timeoutMs: 30_000 });
  expect(inbound(event), JSON.stringify(inbound.errors)).toBe(true);
  expect(bus.events(text)).toHaveLength(1);
}

/** Drops a message and waits until the platform's users saw it and the receipt is there. */
export async function sendsOne({ platform, bus, name }: Case, text = newText("hi")): Promise<void> {
  if (!platform.heard) return;
  const id = bus.send(name, { conversation_id: platform.conversation, text });
  await heardText(platform, text, platform.conversation);
  await bus.waitForReceipt(name, id, { timeoutMs: 30_000 });
}

export async function heardText(platform: Platform, text: string, conversation: string): Promise<void> {
  const heard = platform.heard;
  if (!heard) throw new Error("the platform has no heard()");
  await waitFor(async () => (await heard(conversation)).includes(text), {
    timeoutMs: 30_000,
    message: async () =>
      `users to see ${text}; they saw ${JSON.stringify(await heard(conversation)).slice(0, 2000)}`,
  });
}
