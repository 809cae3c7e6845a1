// What only a spool of SMS has: parts that are one message, files that are found again after a crash, what smsd could not send, and an smsd that does nothing.
import {
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type Bus, startBus } from "../helpers/bus.ts";
import { atEnd } from "../helpers/children.ts";
import { missingServer } from "../helpers/servers/daemon.ts";
import { Smsd } from "../helpers/servers/smsd.ts";
import { waitFor } from "../helpers/wait.ts";

const missing = missingServer("gammu-smsd");
const ada = "+4915100000001";
const drop = { conversation_id: ada, text: "Grüße 👋" };

/** smsd that does not run yet, and the bus on its spool. */
async function open(runtime: Record<string, unknown> = {}): Promise<{ smsd: Smsd; bus: Bus }> {
  const folder = mkdtempSync(join(tmpdir(), "spoolway-sms-"));
  const smsd = new Smsd(folder);
  atEnd(async () => {
    await smsd.kill();
    rmSync(folder, { recursive: true, force: true });
  });
  const retry = { attempts: 8, base: "200ms", max: "1s" };
  const entry = { name: "sms", type: "sms", folder: smsd.spool(), runtime: { retry, ...runtime } };
  const bus = await startBus({ connectors: [entry], defaults: { connector: { settle: "200ms" } } });
  return { smsd, bus };
}

const filesIn = (smsd: Smsd, ...folder: string[]): string[] =>
  readdirSync(smsd.spool(...folder)).filter((name) => /^(OUT|IN)/.test(name));

describe.skipIf(missing !== undefined)("sms", { timeout: 90_000 }, () => {
  test("the parts of a long message are one event", async () => {
    const { smsd, bus } = await open();
    await smsd.start();
    const texts = ["Der erste Teil 👋, ", "der zweite, ", "und der Schluss."];
    smsd.receive({ number: ada, texts });
    const event = await bus.waitForEvent(texts.join(""), { timeoutMs: 30_000 });
    expect(event).toMatchObject({ sender: { id: ada }, conversation: { id: ada, type: "direct" } });
    expect((event.raw as { parts: unknown[] }).parts).toHaveLength(3);
    expect(bus.events()).toHaveLength(1);
  });

  test("a file that is there again is the same event, and another one like it is not", async () => {
    const { smsd, bus } = await open();
    await smsd.start();
    smsd.receive({ number: ada, texts: ["once"] });
    await bus.waitForEvent("once", { timeoutMs: 30_000 });
    const [name = ""] = await waitFor(() => {
      const files = readdirSync(smsd.spool("inbox")).includes(".done") ? filesIn(smsd, "inbox", ".done") : [];
      return files.length > 0 && files;
    });
    const [done, inbox] = [smsd.spool("inbox", ".done", name), smsd.spool("inbox", name)];
    await bus.stop();
    renameSync(done, inbox); // as if a crash had come before it was taken away
    await bus.start();
    await waitFor(() => filesIn(smsd, "inbox").length === 0, { message: "the file to be taken away again" });
    expect(bus.events("once")).toHaveLength(1);
    copyFileSync(done, inbox); // somebody who says the same again in the same second
    await waitFor(() => bus.events("once").length === 2);
  });

  test("killed while smsd has the file, it finds it again: one SMS", async () => {
    const { smsd, bus } = await open();
    const id = bus.send("sms", drop);
    await waitFor(() => filesIn(smsd, "outbox").length === 1, { message: "the file in outbox" });
    await bus.killConnector("sms");
    await smsd.start();
    await bus.waitForReceipt("sms", id, { timeoutMs: 30_000 });
    expect([filesIn(smsd, "sent").length, filesIn(smsd, "outbox").length]).toEqual([1, 0]);
    const log = readFileSync(join(smsd.folder, "smsd.log"), "utf8");
    expect(log.match(/Transmitted OUT/g)).toHaveLength(1);
    expect(log, "in an alphabet that has all of it").toContain("Unicode SMS, length 8");
  });

  test("killed after smsd has sent it and before the receipt, it is not sent again", async () => {
    const { smsd, bus } = await open();
    const id = bus.send("sms", drop);
    const [name = ""] = await waitFor(() => {
      const files = filesIn(smsd, "outbox");
      return files.length > 0 && files;
    });
    process.kill(bus.connector("sms")?.pid ?? 0, "SIGKILL");
    renameSync(smsd.spool("outbox", name), smsd.spool("sent", name)); // what smsd does
    expect((await bus.waitForReceipt("sms", id, { timeoutMs: 30_000 })).platform_id).toBe(name);
    expect(filesIn(smsd, "outbox")).toEqual([]);
  });

  test("what smsd could not send is a dead letter, and a retry by hand is a new try", async () => {
    const { smsd, bus } = await open();
    const id = bus.send("sms", drop);
    const [name = ""] = await waitFor(() => {
      const files = filesIn(smsd, "outbox");
      return files.length > 0 && files;
    });
    renameSync(smsd.spool("outbox", name), smsd.spool("error", name)); // what smsd does
    expect(await bus.waitForDeadLetter("sms", id)).toMatchObject({ code: "rejected" });
    expect(filesIn(smsd, "error", ".done")).toEqual([name]);
    await smsd.start();
    expect((await bus.command("failed", "retry", id)).code).toBe(0);
    await bus.waitForReceipt("sms", id, { timeoutMs: 30_000 });
  });

  test("while smsd does nothing the message waits, and the status says why", async () => {
    const { smsd, bus } = await open({ send_timeout: "1s" });
    const id = bus.send("sms", drop);
    const says = (): boolean => bus.heartbeat("sms")?.error?.message.includes("has not sent it") === true;
    await waitFor(says, { timeoutMs: 30_000, message: () => JSON.stringify(bus.heartbeat("sms")) });
    expect(filesIn(smsd, "outbox")).toHaveLength(1);
    await smsd.start();
    await bus.waitForReceipt("sms", id, { timeoutMs: 60_000 });
    expect(filesIn(smsd, "sent")).toHaveLength(1);
  });

  test("a file of another format is put aside with what to change; what comes after it arrives", async () => {
    const { smsd, bus } = await open();
    writeFileSync(
      smsd.spool("inbox", "IN20261121_120000_00_+49151_00.txt"),
      Buffer.from("\ufeffhello", "utf16le"),
    );
    const why = await waitFor(() =>
      JSON.parse(
        readFileSync(smsd.spool("inbox", ".failed", "IN20261121_120000_00_+49151_00.txt.error.json"), "utf8"),
      ),
    );
    expect((why as { hint: string }).hint).toContain("inboxformat = detail");
    await smsd.start();
    smsd.receive({ number: ada, texts: ["after"] });
    await bus.waitForEvent("after", { timeoutMs: 30_000 });
  });

  test("a folder that is not there stops it and says what to install", async () => {
    const { smsd, bus } = await open();
    bus.configure([{ name: "sms", type: "sms", folder: join(smsd.folder, "nowhere") }]);
    expect((await bus.waitForConnector("sms", "stopped")).user_action).toContain("Install gammu-smsd");
  });
});
