// A connector behaves in the sandbox as it does without: every part of the Context, both directions, every fate. With SPOOLWAY_SANDBOX_BOTH=1 each test runs without
// a sandbox too, which is the measure for the other run.
import { createHash, randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { sandboxProblem } from "../../runtime/sandbox/available.ts";
import { projectRoot } from "../helpers/command.ts";
import { type ConnectorOptions, type ConnectorProcess, startConnector } from "../helpers/connectorProcess.ts";
import { waitFor } from "../helpers/wait.ts";

const missing = sandboxProblem();
if (missing !== undefined) console.error(`SKIPPED: the tests of the sandbox. ${missing.message}`);

const folder = join(projectRoot, "test/helpers/connectors");

const runs = [
  { name: "in the sandbox", sandbox: true },
  { name: "without a sandbox", sandbox: false },
];

describe.each(process.env.SPOOLWAY_SANDBOX_BOTH === "1" ? runs : runs.slice(0, 1))("$name", ({ sandbox }) => {
  const skip = sandbox && missing !== undefined;
  const start = async (options: Omit<ConnectorOptions, "type"> = {}): Promise<ConnectorProcess> => {
    const { runtime, ...rest } = options;
    const one = await startConnector({
      type: join(folder, "relay"),
      ...rest,
      runtime: { sandbox, sync_limit: 5, ...(runtime as object) },
    });
    await one.waitForState("live");
    return one;
  };
  const ask = async (one: ConnectorProcess, text: string): Promise<void> => {
    await one.waitForReceipt("one", one.send("one", { conversation_id: text, text }));
  };

  test.skipIf(skip)("config, log, state, deliver and sync are there", async () => {
    const one = await start({ secret: "s3cret" });
    const opened = await one.waitForEvent((event) => event.content?.text?.startsWith("opened") === true);
    expect(opened.content?.text).toMatch(/^opened 1 one \S*relay s3cret$/);
    expect(opened).toMatchObject({
      connector: { instance: "one" },
      sender: { id: "relay" },
      raw: { big: "12345678901234567890", list: [1, null, "x"] },
      reply: { connector: "one", conversation_id: "relay" },
    });
    // The cursor moves with what was delivered before it, although the connector did not wait for it.
    await waitFor(
      () => one.events((event) => event.content?.text?.startsWith("page") === true).length === 15,
    );
    const log = one.logs();
    expect(log).toContain('"event":"relay.opened","opened":1,"error":"words","frozen":true');

    await ask(one, "state");
    await one.waitForEvent("state true true");
    await ask(one, "twice");
    await one.waitForEvent("twice false true true");
    await ask(one, "many");
    await waitFor(
      () => one.events((event) => event.content?.text?.startsWith("many") === true).length === 1000,
    );
    expect(await one.stop()).toMatchObject({ code: 0 });

    const again = await start({ home: one.home, secret: "s3cret" });
    await again.waitForEvent((event) => event.content?.text?.startsWith("opened 2") === true);
    expect(await again.stop()).toMatchObject({ code: 0 });
  });

  test.skipIf(skip)("attachments come through byte for byte, as streams and in one piece", async () => {
    const one = await start({ settings: { maxAttachmentBytes: 8 << 20 } });
    const files = [0, 1, 300_000, 5_000_001].map((size, n) => {
      const bytes = randomBytes(size);
      writeFileSync(join(one.spool, "outbox/one", `a${n}.bin`), bytes);
      return { bytes, path: `a${n}.bin`, sha256: createHash("sha256").update(bytes).digest("hex") };
    });
    const attachments = files.map(({ path }) => ({ path }));
    await one.waitForReceipt("one", one.send("one", { conversation_id: "c", text: "echo", attachments }));
    for (const [n, { bytes, sha256 }] of files.entries()) {
      const event = await one.waitForEvent(`echo ${n} ${sha256} ${bytes.length}`);
      const [stream, whole, link] = event.content?.attachments ?? [];
      expect(stream).toMatchObject({
        name: "stream.bin",
        sha256,
        size: bytes.length,
        path: `media/${sha256}`,
      });
      expect(whole).toMatchObject({ name: "bytes.bin", media_type: "x/y", sha256, size: bytes.length });
      expect(link).toEqual({ name: "link", url: "https://example.org/x" });
      expect(readFileSync(join(one.spool, "media", sha256)).equals(bytes)).toBe(true);
    }
    // What was lent for the send is not visible any more.
    expect(one.list("state/one/sandbox/media")).toEqual([]);

    const endless = one.send("one", { conversation_id: "e", text: "endless" });
    const broken = one.send("one", { conversation_id: "b", text: "broken" });
    const why = (id: string) => one.list("retry/one").filter((file) => file.includes(id)).length > 0;
    expect((await one.waitForDeadLetter("one", endless)).code).toBe("too_large");
    await waitFor(() => why(broken), { message: "the retry of the broken source" });
    expect(one.list("tmp")).toEqual([]);
    await one.kill();
  });

  test.skipIf(skip)("a throw has its code, its hint and its fate", async () => {
    const one = await start();
    const send = (text: string): string => one.send("one", { conversation_id: text, text });
    const ids = Object.fromEntries(
      ["ok", "nothing", "reject", "none", "invalid", "attempt", "limited"].map((text) => [text, send(text)]),
    ) as Record<string, string>;
    const sent = await one.waitForReceipt("one", ids.ok ?? "");
    expect(sent).toMatchObject({ platform_id: `p-${ids.ok}`, platform_ids: [`p-${ids.ok}`, "s-1"] });
    await one.waitForReceipt("one", ids.nothing ?? "");
    expect(await one.waitForDeadLetter("one", ids.reject ?? "")).toMatchObject({
      code: "odd_code",
      error: "no way",
      hint: "Do it otherwise.",
    });
    expect((await one.waitForDeadLetter("one", ids.none ?? "")).code).toBe("no_such_action");
    expect((await one.waitForDeadLetter("one", ids.invalid ?? "")).code).toBe("invalid_event");
    await one.waitForReceipt("one", ids.attempt ?? "");
    await one.waitForEvent("attempt 3 true");
    await one.waitForReceipt("one", ids.limited ?? "");

    await one.waitForReceipt("one", send("reconnect"));
    await one.waitForEvent((event) => event.content?.text?.startsWith("opened 2") === true);
    await one.stop();
  });

  test.skipIf(skip)("an endless send is given up in time, and the others go on", async () => {
    const one = await start({ settings: { sendTimeoutMs: 700, retryAttempts: 1 } });
    const hanging = one.send("one", { conversation_id: "hang", text: "hang" });
    await ask(one, "ok");
    expect((await one.waitForDeadLetter("one", hanging)).history?.at(-1)?.fate).toBe("uncertain");
    await ask(one, "ok");
    await one.stop();
  });

  test.skipIf(skip)(
    "a crash ends the process, and what was being sent is settled after it by asking",
    async () => {
      const one = await start();
      const id = one.send("one", { conversation_id: "crash", text: "crash" });
      const { code } = await one.exited();
      expect(code).toBe(sandbox ? 1 : 7);
      expect(one.list("sending/one")).toEqual([`${id}~1.json`]);
      if (sandbox) {
        const [ending] = one.endings;
        expect(ending).toMatchObject({
          type: "ending",
          code: "sandbox_ended",
          message: expect.stringContaining("code 7") as string,
        });
      }
      const again = await start({ home: one.home, found: "sent" });
      expect(await again.waitForReceipt("one", id)).toMatchObject({ platform_id: `found-${id}` });
      await again.stop();
    },
  );
});
