// The contract's cases about what comes in.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { inbound } from "../../schema/validators/messages.js";
import { waitFor } from "../helpers/wait.ts";
import { newText, openCase, openPlatform, sharedCase, startCase } from "./case.ts";
import type { Platform } from "./platform.ts";
import { scripts } from "./texts.ts";

/** Declares them; what the platform cannot do is left out. */
export function receiving(platform: Platform): void {
  const { say, sayAgain, sayFile, saySelf, conversation } = platform;

  if (platform.emits) {
    test("an event that comes by itself is a valid file", async () => {
      const { bus, name } = await openCase(platform);
      const event = await bus.waitForEvent(() => true, { timeoutMs: 30_000 });
      expect(inbound(event), JSON.stringify(inbound.errors)).toBe(true);
      expect(event.connector).toEqual({ type: platform.type, instance: name });
    });
  }

  if (say || saySelf || sayFile)
    describe("in one session,", () => {
      const shared = sharedCase(platform);
      if (say) {
        test("what is said is one valid event with the sender and the way to answer", async () => {
          const { bus, name } = shared();
          const text = newText("hello");
          await say({ conversation, text });
          const event = await bus.waitForEvent(text);
          expect(inbound(event), JSON.stringify(inbound.errors)).toBe(true);
          expect(event.connector).toEqual({ type: platform.type, instance: name });
          expect(event.sender?.is_self ?? false).toBe(false);
          if (platform.heard)
            expect(event.reply).toMatchObject({ connector: name, conversation_id: conversation });
          expect(bus.events(text)).toHaveLength(1);
        });

        test("text of every script arrives as it was said", async () => {
          const { bus } = shared();
          for (const text of scripts) {
            await say({ conversation, text });
            await bus.waitForEvent(text);
          }
        });

        test("many messages of one conversation arrive in order", async () => {
          const { bus } = shared();
          const texts = Array.from({ length: 20 }, (_, n) => newText(`in ${n}`));
          for (const text of texts) await say({ conversation, text });
          await bus.waitForEvent(texts.at(-1) ?? "", { timeoutMs: 60_000 });
          const seen = bus.events().map((event) => event.content?.text ?? "");
          expect(seen.filter((text) => texts.includes(text))).toEqual(texts);
        });
      }

      if (saySelf) {
        test("what our own account says is marked as our own", async () => {
          const { bus } = shared();
          const text = newText("me");
          await saySelf({ conversation, text });
          expect((await bus.waitForEvent(text)).sender?.is_self).toBe(true);
        });
      }

      if (sayFile) {
        test("an attachment lies in media/ byte for byte", async () => {
          const { bus } = shared();
          const bytes = Uint8Array.from({ length: 70_000 }, (_, n) => (n * 7919) % 256);
          await sayFile({ conversation, name: "grün 🌱.bin", bytes });
          const event = await bus.waitForEvent((one) => (one.content?.attachments?.length ?? 0) > 0);
          const [attachment] = event.content?.attachments ?? [];
          expect(attachment?.name).toBe("grün 🌱.bin");
          expect(attachment?.sha256).toBe(createHash("sha256").update(bytes).digest("hex"));
          const stored = readFileSync(join(bus.spool, attachment?.path ?? ""));
          expect(Buffer.compare(stored, bytes)).toBe(0);
        });
      }
    });

  if (say && sayAgain) {
    test("an event that the platform delivers again is one file, also after a restart", async () => {
      const { bus } = await openCase(platform);
      const text = newText("once");
      const first = await say({ conversation, text });
      await bus.waitForEvent(text);
      await sayAgain(first);
      await bus.restart();
      await platform.attach?.(bus);
      await sayAgain(first);
      const after = newText("after");
      await say({ conversation, text: after });
      await bus.waitForEvent(after);
      expect(bus.events(text)).toHaveLength(1);
    });
  }

  if (say && platform.keepsWhileAway) {
    test("what was said while the connector was away arrives when it is back", async () => {
      const { bus } = await openCase(platform);
      await bus.stop();
      const texts = Array.from({ length: 5 }, (_, n) => newText(`missed ${n}`));
      for (const text of texts) await say({ conversation, text });
      await bus.start();
      await bus.waitForEvent(texts.at(-1) ?? "", { timeoutMs: 30_000 });
      const seen = bus.events().map((event) => event.content?.text ?? "");
      expect(seen.filter((text) => texts.includes(text))).toEqual(texts);
    });
  }

  // A platform that keeps what it could not deliver would bring it again for ever, and nothing behind it.
  if (sayFile && platform.keepsWhileAway === true) {
    const fate = platform.refusesLarge === true ? "is refused" : "is left out, and says so";
    test(`an attachment above our limit ${fate}; what comes after it arrives`, async () => {
      const entry = await openPlatform(platform);
      const runtime = { ...(entry.runtime as object), max_attachment_bytes: 20_000 };
      const { bus } = await startCase(platform, { ...entry, runtime });
      await sayFile({ conversation, name: "large.bin", bytes: new Uint8Array(70_000) });
      if (platform.refusesLarge === true) {
        await waitFor(() => bus.logs().includes('"code":"too_large"'));
      } else {
        const event = await bus.waitForEvent((one) => (one.content?.attachments?.length ?? 0) > 0);
        const expected = { name: "large.bin", omitted: "too_large" };
        expect(event.content?.attachments).toEqual([expect.objectContaining(expected)]);
      }
      const after = newText("after");
      await platform.say?.({ conversation, text: after });
      if (platform.say) await bus.waitForEvent(after, { timeoutMs: 30_000 });
    });
  }
}
