// The contract's cases about what goes out.
import { describe, expect, test } from "vitest";
import { receipt as receiptValidator } from "../../schema/validators/messages.js";
import { waitFor } from "../helpers/wait.ts";
import { heardText, newText, sendsOne, sharedCase } from "./case.ts";
import type { Platform } from "./platform.ts";
import { scripts } from "./texts.ts";

/** Declares them; what the platform cannot do is left out. */
export function sending(platform: Platform): void {
  const { heard, heardFiles, refused, oversize, conversation, otherConversation } = platform;
  if (!heard) return;

  describe("in one session,", () => {
    const shared = sharedCase(platform);

    test("a drop is sent and leaves a valid receipt", async () => {
      const { bus, name } = shared();
      const text = newText("hi");
      const id = bus.send(name, { conversation_id: conversation, text, meta: { ticket: 7 } });
      await heardText(platform, text, conversation);
      const receipt = await bus.waitForReceipt(name, id);
      expect(receiptValidator(receipt), JSON.stringify(receiptValidator.errors)).toBe(true);
      expect(receipt).toMatchObject({ id, connector: name, attempts: 1, meta: { ticket: 7 } });
      await waitFor(() => bus.list(`sending/${name}`).length === 0, { message: "the claim to be removed" });
      expect(bus.list(`outbox/${name}`)).toEqual([]);
    });

    test("text of every script is seen as it was dropped", async () => {
      const { bus, name } = shared();
      for (const text of scripts) {
        const id = bus.send(name, { conversation_id: conversation, text });
        await heardText(platform, text, conversation);
        await bus.waitForReceipt(name, id);
      }
    });

    test("many drops of one conversation are seen in order", async () => {
      const { bus, name } = shared();
      const texts = Array.from({ length: 20 }, (_, n) => newText(`out ${n}`));
      const ids = texts.map((text, n) => {
        const id = newText("id").replaceAll(" ", "-");
        // The order is mtime, then name: names that sort, for writes within one tick of the file system's clock.
        bus.drop(name, { id, conversation_id: conversation, text }, `${String(n).padStart(4, "0")}.json`);
        return id;
      });
      for (const id of ids) await bus.waitForReceipt(name, id, { timeoutMs: 90_000 });
      await heardText(platform, texts.at(-1) ?? "", conversation);
      expect((await heard(conversation)).filter((text) => texts.includes(text))).toEqual(texts);
    });

    if (otherConversation !== undefined) {
      test("two conversations are sent to where they belong", async () => {
        const { bus, name } = shared();
        const [here, there] = [newText("here"), newText("there")];
        bus.send(name, { conversation_id: conversation, text: here });
        bus.send(name, { conversation_id: otherConversation, text: there });
        await heardText(platform, here, conversation);
        await heardText(platform, there, otherConversation);
        expect(await heard(conversation)).not.toContain(there);
      });
    }

    if (heardFiles) {
      test("an attachment is seen byte for byte", async () => {
        const { bus, name } = shared();
        const bytes = Uint8Array.from({ length: 70_000 }, (_, n) => (n * 7919) % 256);
        bus.drop(name, bytes, "data.bin");
        const attachments = [{ path: "data.bin", name: "données.bin" }];
        const id = bus.send(name, { conversation_id: conversation, text: "file", attachments });
        await bus.waitForReceipt(name, id);
        const files = await waitFor(async () => {
          const all = await heardFiles(conversation);
          return all.length > 0 ? all : undefined;
        });
        expect(files).toHaveLength(1);
        expect(Buffer.compare(files[0]?.bytes ?? new Uint8Array(), bytes)).toBe(0);
      });
    }

    if (refused) {
      test("what the platform refuses for good is a dead letter with the platform's words", async () => {
        const opened = shared();
        const { bus, name } = opened;
        const id = bus.send(name, { conversation_id: conversation, ...refused.message });
        const dead = await bus.waitForDeadLetter(name, id);
        expect(dead.error).toMatch(refused.error);
        expect(dead.hint ?? "").not.toBe("");
        expect(dead.message).toMatchObject(refused.message);
        await sendsOne(opened);
      });
    }

    if (oversize) {
      test("a text above the platform's limit is never cut silently", async () => {
        const opened = shared();
        const { bus, name } = opened;
        const id = bus.send(name, { conversation_id: conversation, text: oversize.text });
        if (oversize.becomes === "refused") {
          expect((await bus.waitForDeadLetter(name, id)).code).toBe("too_large");
        } else {
          await bus.waitForReceipt(name, id, { timeoutMs: 90_000 });
          const bare = (text: string) => text.replaceAll(/\s/gu, "");
          await waitFor(
            async () => bare((await heard(conversation)).join("")).includes(bare(oversize.text)),
            {
              timeoutMs: 60_000,
              message: async () =>
                `all parts; they saw ${JSON.stringify(await heard(conversation)).slice(0, 4000)}`,
            },
          );
        }
        await sendsOne(opened);
      });
    }
  });
}
