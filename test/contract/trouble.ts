// The contract's cases about a platform under strain: it asks to wait, falls silent, swallows its answers, or has very large files.
import { createHash, randomBytes } from "node:crypto";
import { createWriteStream, readFileSync } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { describe, expect, test } from "vitest";
import type { Bus } from "../helpers/bus.ts";
import { atEnd } from "../helpers/children.ts";
import { waitFor } from "../helpers/wait.ts";
import { heardText, newText, openCase, openPlatform, receivesOne, sendsOne, startCase } from "./case.ts";
import { featuresOf } from "./features.ts";
import type { Platform } from "./platform.ts";

const bigBytes = Number(process.env.SPOOLWAY_BIG_FILE ?? 100_000_000);
/** What a file of any size may add to a process. */
const growthMaxBytes = 30_000_000;

/** Declares them; what the platform cannot show is left out. */
export function troubleCases(platform: Platform): void {
  const { rateLimit, server, swallowAnswers, heard, conversation } = platform;

  if (rateLimit && heard)
    test("asked to wait, it waits as long as it was told, and counts no attempt", async () => {
      const entry = await openPlatform(platform);
      // With one attempt allowed, one that counted would have been the last.
      const runtime = { ...(entry.runtime as object), retry: { attempts: 1 } };
      const { bus, name } = await startCase(platform, { ...entry, runtime });
      await sendsOne({ platform, bus, name, entry: {} });
      await rateLimit.impose(2);
      const texts = [newText("waits"), newText("waits as well")];
      const ids = texts.map((text) => bus.send(name, { conversation_id: conversation, text }));
      for (const id of ids) await bus.waitForReceipt(name, id, { timeoutMs: 60_000 });
      expect(rateLimit.early()).toBe(0);
      for (const text of texts)
        expect((await heard(conversation)).filter((one) => one === text)).toHaveLength(1);
    });

  if (server?.freeze)
    test("a connection that is open and dead is noticed, and replaced", async () => {
      const now = await openCase(platform);
      await receivesOne(now);
      await server.freeze?.();
      const isDeaf = ({ state }: { state: string }): boolean => state === "failing" || state === "offline";
      await now.bus.waitForConnector(now.name, isDeaf, { timeoutMs: 60_000 });
      await server.start();
      await now.bus.waitForConnector(now.name, "live", { timeoutMs: 60_000 });
      await receivesOne(now);
      await sendsOne(now);
    });

  if (swallowAnswers && heard)
    test("killed between the platform's yes and the receipt, it sends again as it declares", async () => {
      const { bus, name } = await openCase(platform);
      await swallowAnswers(true);
      const text = newText("uncertain");
      const id = bus.send(name, { conversation_id: conversation, text });
      await heardText(platform, text, conversation);
      process.kill(bus.connector(name)?.pid ?? 0, "SIGKILL");
      await swallowAnswers(false);
      await bus.waitForReceipt(name, id, { timeoutMs: 60_000 });
      const seen = (await heard(conversation)).filter((one) => one === text).length;
      if (featuresOf(platform.type)?.resend === "once") expect(seen).toBe(1);
      else expect([1, 2]).toContain(seen);
    });

  const { sayBigFile, heardBigFile } = platform;
  if (!sayBigFile && !heardBigFile) return;
  describe("a large attachment goes through without being held in memory:", { timeout: 240_000 }, () => {
    if (sayBigFile)
      test("in", async () => {
        const { bus, name } = await openCase(platform);
        await receivesOne({ platform, bus, name, entry: {} });
        const growth = await watchMemory(bus, name);
        const sha256 = await sayBigFile(bigBytes);
        const has = (one: { sha256?: string }): boolean => one.sha256 === sha256;
        await bus.waitForEvent((event) => event.content?.attachments?.some(has) === true, {
          timeoutMs: 180_000,
        });
        expect(growth.end()).toBeLessThan(growthMaxBytes);
      });

    if (heardBigFile)
      test("out", async () => {
        const { bus, name } = await openCase(platform);
        await sendsOne({ platform, bus, name, entry: {} });
        const sha256 = await dropBigFile(bus, name, bigBytes);
        const growth = await watchMemory(bus, name);
        const id = bus.send(name, {
          conversation_id: conversation,
          text: "large",
          attachments: [{ path: "large.bin" }],
        });
        await bus.waitForReceipt(name, id, { timeoutMs: 180_000 });
        const seen = await waitFor(async () => (await heardBigFile()) ?? false, { timeoutMs: 60_000 });
        expect(seen).toEqual({ size: bigBytes, sha256 });
        expect(growth.end()).toBeLessThan(growthMaxBytes);
      });
  });
}

/** How much the connector's process grows at most, in bytes, between now and end(); by the kernel's own word. */
async function watchMemory(bus: Bus, name: string): Promise<{ end: () => number }> {
  const pid = bus.connector(name)?.pid ?? 0;
  // What its start left behind is collected or not: the highest so far is where we begin.
  const before = rssOf(pid);
  let most = before;
  const timer = setInterval(() => (most = Math.max(most, rssOf(pid))), 20);
  atEnd(() => clearInterval(timer)); // also when the test failed, and the process is gone
  return {
    end: () => {
      clearInterval(timer);
      expect(bus.connector(name)?.pid, "the process was replaced").toBe(pid);
      return most - before;
    },
  };
}

function rssOf(pid: number): number {
  const kilobytes = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Number(kilobytes) * 1024;
}

/** A file of random bytes beside the drops; returns its SHA-256 in hex. */
async function dropBigFile(bus: Bus, name: string, size: number): Promise<string> {
  const hash = createHash("sha256");
  const chunks = function* (): Generator<Buffer> {
    for (let left = size; left > 0; left -= 1 << 20) {
      const chunk = randomBytes(Math.min(left, 1 << 20));
      hash.update(chunk);
      yield chunk;
    }
  };
  await pipeline(chunks, createWriteStream(join(bus.spool, "outbox", name, "large.bin")));
  return hash.digest("hex");
}
