// What only a spool of SMS has: parts that are one message, files that are found again after a crash, what smsd could not send, and an smsd that does nothing.
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { smsParts } from "../../runtime/sdk/text/sms-parts.ts";
import { type Bus, startBus } from "../helpers/bus.ts";
import { atEnd } from "../helpers/children.ts";
import { missingServer } from "../helpers/servers/daemon.ts";
import { Smsd } from "../helpers/servers/smsd.ts";
import { waitFor } from "../helpers/wait.ts";

const missing = missingServer("gammu-smsd");
const ada = "+4915100000001";
const drop = { conversation_id: ada, text: "Grüße 👋" };

/** smsd that does not run yet, and the bus on its spool. */
async function open(
  runtime: Record<string, unknown> = {},
  config: Record<string, unknown> = {},
  umask = 0o022,
): Promise<{ smsd: Smsd; bus: Bus; entry: Record<string, unknown> }> {
  const folder = mkdtempSync(join(tmpdir(), "spoolway-sms-"));
  const smsd = new Smsd(folder);
  atEnd(async () => {
    await smsd.kill();
    rmSync(folder, { recursive: true, force: true });
  });
  const retry = { attempts: 8, base: "200ms", max: "1s" };
  const entry = { name: "sms", type: "sms", folder: smsd.spool(), ...config, runtime: { retry, ...runtime } };
  const before = process.umask(umask);
  const bus = await startBus({
    connectors: [entry],
    defaults: { connector: { settle: "200ms" }, supervisor: { backoff_base: "200ms" } },
  }).finally(() => process.umask(before));
  return { smsd, bus, entry };
}

const filesIn = (smsd: Smsd, ...folder: string[]): string[] =>
  readdirSync(smsd.spool(...folder)).filter((name) => /^(OUT|IN)/.test(name));

/** The name of the file that the connector put into outbox. */
const written = async (smsd: Smsd): Promise<string> =>
  waitFor(() => filesIn(smsd, "outbox")[0], { timeoutMs: 30_000, message: "the file in outbox" });

describe.skipIf(missing !== undefined)("sms", { timeout: 90_000 }, () => {
  test("the parts of a long message are one event", async () => {
    const { smsd, bus } = await open();
    await smsd.start();
    const texts = ["Der erste Teil 👋, ", "der zweite, ", "und der Schluss."];
    smsd.receive({ number: ada, texts });
    const event = await bus.waitForEvent(texts.join(""), { timeoutMs: 30_000 });
    expect(event).toMatchObject({ sender: { id: ada }, conversation: { id: ada, type: "direct" } });
    expect(event.occurred_at).toBe("2023-11-14T22:13:21Z");
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
    await written(smsd);
    await bus.killConnector("sms");
    await smsd.start();
    await bus.waitForReceipt("sms", id, { timeoutMs: 30_000 });
    expect([filesIn(smsd, "sent").length, filesIn(smsd, "outbox").length]).toEqual([1, 0]);
    expect(smsd.transmitted()).toEqual([{ number: ada, text: drop.text, parts: 1, asksReport: true }]);
  });

  test("killed after smsd has sent it and before the receipt, it is not sent again", async () => {
    const { smsd, bus } = await open();
    const id = bus.send("sms", drop);
    const name = await written(smsd);
    process.kill(bus.connector("sms")?.pid ?? 0, "SIGKILL");
    renameSync(smsd.spool("outbox", name), smsd.spool("sent", name)); // what smsd does
    expect((await bus.waitForReceipt("sms", id, { timeoutMs: 30_000 })).platform_id).toBe(name);
    expect(filesIn(smsd, "outbox")).toEqual([]);
  });

  test("what smsd could not send is tried again, and given up; a retry by hand is a new try", async () => {
    const { smsd, bus } = await open({ retry: { attempts: 2, base: "100ms" } });
    const id = bus.send("sms", drop);
    for (const tries of [1, 2]) {
      const name = await written(smsd);
      renameSync(smsd.spool("outbox", name), smsd.spool("error", name)); // what smsd does
      const moved = (): boolean =>
        readdirSync(smsd.spool("error")).includes(".done") && filesIn(smsd, "error").length === 0;
      await waitFor(moved, { timeoutMs: 30_000, message: `the file of try ${tries} to be moved away` });
    }
    const dead = await bus.waitForDeadLetter("sms", id, { timeoutMs: 30_000 });
    expect(dead.code).toBe("attempts_exhausted");
    expect(dead.error).toContain("could not send it");
    expect(readdirSync(smsd.spool("error", ".done"))).toHaveLength(2);
    await smsd.start();
    expect((await bus.command("failed", "retry", id)).code).toBe(0);
    await bus.waitForReceipt("sms", id, { timeoutMs: 30_000 });
    expect(smsd.transmitted()).toHaveLength(1);
  });

  test("what somebody takes out of outbox is a dead letter, and not written again", async () => {
    const { smsd, bus } = await open();
    const id = bus.send("sms", drop);
    unlinkSync(smsd.spool("outbox", await written(smsd)));
    const dead = await bus.waitForDeadLetter("sms", id, { timeoutMs: 30_000 });
    expect([dead.code, dead.attempts]).toEqual(["outcome_unknown", 1]);
    expect(dead.hint).toContain("sentsmspath");
    expect(filesIn(smsd, "outbox")).toEqual([]);
  });

  test("with on_uncertain: hold, what is still there after a crash is not held", async () => {
    const { smsd, bus } = await open({ on_uncertain: "hold" });
    const [waits, went] = [bus.send("sms", drop), bus.send("sms", { ...drop, conversation_id: `${ada}9` })];
    await waitFor(() => filesIn(smsd, "outbox").length === 2, { message: "both files in outbox" });
    process.kill(bus.connector("sms")?.pid ?? 0, "SIGKILL");
    const name = filesIn(smsd, "outbox").find((one) => one.includes(`${ada}9`)) ?? "";
    renameSync(smsd.spool("outbox", name), smsd.spool("sent", name)); // what smsd does
    const receipt = await bus.waitForReceipt("sms", went, { timeoutMs: 30_000 });
    expect(receipt).toMatchObject({ platform_id: name, reconciled: true });
    await smsd.start();
    await bus.waitForReceipt("sms", waits, { timeoutMs: 30_000 });
    expect(smsd.transmitted()).toHaveLength(1);
  });

  test("delivery_reports is changed while a message waits: it is sent once, the next one asks for none", async () => {
    const { smsd, bus, entry } = await open({ drain: "300ms" });
    const id = bus.send("sms", drop);
    await written(smsd);
    const before = bus.connector("sms")?.pid;
    bus.configure([{ ...entry, delivery_reports: false }]);
    await bus.waitForConnector("sms", ({ state, pid }) => state === "live" && pid !== before, {
      timeoutMs: 60_000,
    });
    await smsd.start();
    await bus.waitForReceipt("sms", id, { timeoutMs: 30_000 });
    await bus.waitForReceipt("sms", bus.send("sms", drop), { timeoutMs: 30_000 });
    expect(smsd.transmitted().map(({ asksReport }) => asksReport)).toEqual([true, false]);
  });

  test("an id that was used before the receipts that are kept is a new message", async () => {
    const { smsd, bus } = await open();
    await smsd.start();
    for (const text of ["last year", "this year"]) {
      const id = bus.send("sms", { ...drop, id: "reminder", text });
      await bus.waitForReceipt("sms", id, { timeoutMs: 30_000 });
      await bus.stop();
      rmSync(join(bus.spool, "sent", "sms"), { recursive: true }); // as sent_keep does, later
      await bus.start();
    }
    expect(smsd.transmitted().map(({ text }) => text)).toEqual(["last year", "this year"]);
  });

  test("texts at the limits go out whole, in as many parts as were counted", async () => {
    const { smsd, bus } = await open({}, { max_parts: 50 }, 0o077);
    const texts = [
      `${"a".repeat(152)}€${"a".repeat(152)}`,
      "👋".repeat(67),
      `${"ж".repeat(66)}👋`,
      "@£$¥èéùìòÇ\nØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0:;<=>?¡ÄÖÑÜ§¿äöñüà\f^{}\\[~]|€",
      "a".repeat(50 * 153),
    ];
    const ids = texts.map((text) => bus.send("sms", { ...drop, text }));
    const odd = bus.send("sms", { ...drop, text: "no end\u0000 here" });
    const long = bus.send("sms", { conversation_id: `${ada}9`, text: "a".repeat(50 * 153 + 1) });
    expect((await bus.waitForDeadLetter("sms", long, { timeoutMs: 30_000 })).code).toBe("too_large");
    const name = await written(smsd);
    const mode = statSync(smsd.spool("outbox", name)).mode & 0o777;
    expect(mode, "with the umask 077 the user that smsd runs as can read it").toBe(0o640);
    await smsd.start();
    for (const id of [...ids, odd]) await bus.waitForReceipt("sms", id, { timeoutMs: 60_000 });
    const seen = smsd.transmitted().map(({ text, parts }) => ({ text, parts }));
    const wanted = [...texts, "no end\ufffd here"].map((text) => ({ text, parts: smsParts(text) }));
    expect(seen).toEqual(expect.arrayContaining(wanted));
    expect(seen).toHaveLength(wanted.length);
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

  test("a file of another format, or half of one, is put aside with what to do; what comes after it arrives", async () => {
    const { smsd, bus } = await open({}, { after: "delete" });
    const [other, half, odd] = ["IN_other_00.txt", "IN_half_00.txt", "IN_odd_00.txt"];
    const section = `[SMSBackup000]\nPDU = Deliver\nNumberUnicode = 0031\r\nText00 = 0041`;
    writeFileSync(smsd.spool("inbox", other), Buffer.from("\ufeffhello", "utf16le"));
    writeFileSync(smsd.spool("inbox", half), section);
    writeFileSync(smsd.spool("inbox", odd), `${section}4\n\n`);
    const why = (name: string): Promise<{ code: string; hint: string }> =>
      waitFor(() => {
        const text = readFileSync(smsd.spool("inbox", ".failed", `${name}.error.json`), "utf8");
        return JSON.parse(text) as { code: string; hint: string };
      });
    expect((await why(other)).hint).toContain("inboxformat = detail");
    expect((await why(half)).hint).toContain("was the disk full");
    expect((await why(odd)).code).toBe("invalid_event");
    await smsd.start();
    smsd.receive({ number: "", texts: ["after"] });
    const event = await bus.waitForEvent("after", { timeoutMs: 30_000 });
    expect(event.sender?.id, "nobody tells who sent it").toBe("unknown");
    await waitFor(() => filesIn(smsd, "inbox").length === 0);
    expect(readdirSync(smsd.spool("inbox")), "after: delete").toEqual([".failed"]);
  });

  test("nobody can write another part or another sender into a text", async () => {
    const { smsd, bus } = await open();
    await smsd.start();
    // gammu repeats the text in a comment, where only \n begins a new one.
    const eve = ["NumberUnicode = 0031", "[SMSBackup1]", "Text05 = 0041"];
    const text = ["hi", ...eve, ""].join("\u2028") + ["", ...eve, ""].join("\r") + eve.join("\n");
    expect(text.length, "of one part").toBeLessThanOrEqual(160);
    smsd.receive({ number: ada, texts: [text] });
    const event = await bus.waitForEvent((one) => one.content?.text?.startsWith("hi") === true);
    expect(event).toMatchObject({ kind: "message", sender: { id: ada }, content: { text } });
    expect((event.raw as { parts: unknown[] }).parts).toHaveLength(1);
  });

  test("a folder that is not there stops it and says what to install; one that was there is waited for", async () => {
    const { smsd, bus, entry } = await open();
    bus.configure([{ ...entry, folder: join(smsd.folder, "nowhere") }]);
    expect((await bus.waitForConnector("sms", "stopped")).user_action).toContain("Install gammu-smsd");
    mkdirSync(join(smsd.folder, "nowhere", "inbox"), { recursive: true });
    bus.configure([{ ...entry, folder: join(smsd.folder, "nowhere"), max_parts: 9 }]);
    const incomplete = await bus.waitForConnector(
      "sms",
      ({ state, error }) => state === "stopped" && error?.message.includes("outbox") === true,
    );
    expect(incomplete.user_action).toContain("as its configuration names them");
    expect(readdirSync(join(smsd.folder, "nowhere")), "it makes none that smsd does not know").toEqual([
      "inbox",
    ]);
    bus.configure([entry]);
    await bus.waitForConnector("sms", "live");
    renameSync(smsd.spool(), `${smsd.spool()}.away`); // its disk is not mounted
    await bus.waitForConnector("sms", "offline");
    renameSync(`${smsd.spool()}.away`, smsd.spool());
    await bus.waitForConnector("sms", "live", { timeoutMs: 60_000 });
  });
});
