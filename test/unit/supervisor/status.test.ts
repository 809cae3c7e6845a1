// Messages that nobody will send are found, and only counted.
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { findOrphans, StatusFile } from "../../../runtime/supervisor/status.ts";
import { readSupervisorStatus } from "../../../runtime/spool/heartbeats.ts";
import { memoryLog } from "./samples.ts";

function spool(): string {
  const root = mkdtempSync(join(tmpdir(), "spoolway-status-"));
  onTestFinished(() => rmSync(root, { recursive: true }));
  for (const folder of [
    "outbox/web",
    "outbox/old",
    "outbox/empty",
    "sending/old",
    "retry/older",
    "heartbeat",
    "tmp",
  ]) {
    mkdirSync(join(root, folder), { recursive: true });
  }
  return root;
}

test("folders with files and no connector are orphans, as are drops beside the folders; nothing is touched", () => {
  const root = spool();
  for (const file of ["outbox/web/1.json", "outbox/old/1.json", "outbox/old/a.pdf", "sending/old/a~1.json"])
    writeFileSync(join(root, file), "{}");
  for (const file of ["retry/older/x.json", "outbox/lost.json", "outbox/.keep"])
    writeFileSync(join(root, file), "{}");
  expect(findOrphans(root, new Set(["web"]))).toEqual([
    { name: ".", files: 1 },
    { name: "old", files: 3 },
    { name: "older", files: 1 },
  ]);
  expect(readdirSync(join(root, "outbox/old"))).toEqual(["1.json", "a.pdf"]);
});

test("the status is a valid file that counts up, and a disk that does not take it is said once", () => {
  const root = spool();
  const { log, entries } = memoryLog();
  const source = {
    state: () => "running" as const,
    connectors: () => [],
    orphans: () => [],
    configErrors: () => [],
  };
  const status = new StatusFile(root, "1.2.3", source, log);
  status.write();
  status.write();
  expect(readSupervisorStatus(root)).toMatchObject({ seq: 2, pid: process.pid, spoolway_version: "1.2.3" });
  rmSync(join(root, "heartbeat"), { recursive: true });
  status.write();
  status.write();
  expect(entries.map(({ event }) => event)).toEqual(["status.unwritten"]);
  status.close();
});
