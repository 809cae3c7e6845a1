// The connector on folders that smsd might have: nothing leaves inbox before its event is durable, nothing in it stops what follows, and what is in outbox waits.
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import connector from "../../../connectors/sms/connector.ts";
import type { Config } from "../../../connectors/sms/manifest.d.ts";
import { outgoing, TestContext } from "../../helpers/context.ts";
import { waitFor } from "../../helpers/wait.ts";

/** A spool, and what starts a session on it. */
function open(config: Partial<Config> = {}) {
  const folder = mkdtempSync(join(tmpdir(), "spoolway-sms-"));
  for (const name of ["inbox", "outbox", "sent", "error"]) mkdirSync(join(folder, name));
  const whole: Config = { folder, after: "move", delivery_reports: true, max_parts: 10, ...config };
  const ctx = new TestContext<Config>("sms", tmpdir(), whole);
  const running: Array<Promise<unknown>> = [];
  onTestFinished(async () => {
    ctx.abort();
    await Promise.allSettled(running);
    rmSync(folder, { recursive: true, force: true });
    rmSync(`${folder}.away`, { recursive: true, force: true });
  });
  const inbox = join(folder, "inbox");
  const receive = async (): Promise<void> => {
    const session = await connector.connect(ctx);
    const received = connector.receive?.(session, ctx) ?? Promise.reject(new Error("it cannot receive"));
    running.push(received);
    return received;
  };
  const put = (name: string, text: string): void => {
    const hex = Buffer.from(text, "utf16le").swap16().toString("hex");
    const lines = ["[SMSBackup000]", "PDU = Deliver", "NumberUnicode = 0031\r", `Text00 = ${hex}\r`, "", ""];
    writeFileSync(join(inbox, name), lines.join("\n"));
  };
  const send = async (id: string): Promise<unknown> => {
    const message = outgoing("hi", { id, conversation_id: "+4915100000001" });
    return connector.send?.(await connector.connect(ctx), message, ctx.sending());
  };
  return { folder, ctx, inbox, receive, put, send };
}

test("a file stays until its event is durable", async () => {
  const { ctx, inbox, receive, put } = open();
  put("IN1", "one");
  ctx.beforeDeliver = () => {
    throw new Error("the disk is full");
  };
  await expect(receive()).rejects.toThrow("the disk is full");
  expect(readdirSync(inbox)).toEqual(["IN1"]);
  ctx.beforeDeliver = () => expect(readdirSync(inbox)).toContain("IN1");
  void receive();
  await waitFor(() => readdirSync(join(inbox, ".done")).includes("IN1"));
  expect(ctx.texts()).toEqual(["one"]);
});

test("half a file is waited for, and holds nothing up", async () => {
  const { ctx, inbox, receive, put } = open();
  const half = "[SMSBackup000]\nPDU = Deliver\nNumberUnicode = 0031\r\nText00 = 0041";
  writeFileSync(join(inbox, "IN1"), half);
  put("IN2", "two");
  // It was looked at before this one: it is older, or of the same time and first by name.
  ctx.beforeDeliver = () => {
    if (ctx.delivered.length === 0) appendFileSync(join(inbox, "IN1"), "0042\r\n\n");
  };
  void receive();
  await waitFor(() => ctx.texts().length === 2);
  expect(ctx.texts()).toEqual(["two", "AB"]);
  expect(ctx.logged("file.refused")).toEqual([]);
});

test("what is too large for an SMS is put aside unread, other files are left alone", async () => {
  const { ctx, inbox, receive, put } = open({ after: "delete" });
  writeFileSync(join(inbox, "IN0"), Buffer.alloc((1 << 20) + 1, "\n"));
  writeFileSync(join(inbox, "notes.txt"), "mine");
  put("IN1", "one");
  void receive();
  await waitFor(() => ctx.texts().includes("one") && ctx.logged("file.refused").length === 1);
  expect(ctx.logged("file.refused")[0]?.fields).toMatchObject({ file: "IN0", code: "too_large" });
  await waitFor(() => !readdirSync(inbox).includes("IN1"));
  expect(readdirSync(inbox).sort()).toEqual([".failed", "notes.txt"]);
});

test("what waits in outbox stays there when the session ends, and when the folder is away", async () => {
  const { folder, ctx, send } = open();
  const written = (root = folder): string[] =>
    readdirSync(join(root, "outbox")).filter((name) => name.startsWith("OUT"));
  const first = expect(send("1")).rejects.toMatchObject({ fate: "reconnect" });
  await waitFor(() => written().length === 1);
  ctx.abort();
  await first;
  expect(written()).toHaveLength(1);
  ctx.renew();
  const second = expect(send("2")).rejects.toMatchObject({ fate: "reconnect", code: "disconnected" });
  await waitFor(() => written().length === 2);
  renameSync(folder, `${folder}.away`); // its disk was unmounted
  await second;
  expect(written(`${folder}.away`)).toHaveLength(2);
});
