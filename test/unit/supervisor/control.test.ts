// Files in control/ do what they say, and nothing else happens.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { ControlFolder } from "../../../runtime/supervisor/control.ts";
import { waitFor } from "../../helpers/wait.ts";
import { memoryLog } from "./samples.ts";

let root: string;
let control: ControlFolder;
let seen: string[];
let canSync: boolean;
let logged: ReturnType<typeof memoryLog>;

const put = (name: string, text = "") => writeFileSync(join(root, "control", name), text);

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "spoolway-control-"));
  onTestFinished(() => rmSync(root, { recursive: true }));
  mkdirSync(join(root, "control"));
  seen = [];
  canSync = true;
  logged = memoryLog();
  const target = {
    pause: (reason: string | undefined) => void (reason !== undefined && seen.push(`pause ${reason}`)),
    restart: () => void seen.push("restart"),
    sync: () => canSync && seen.push("sync") > 0,
  };
  control = new ControlFolder(root, () => new Map([["irc-main", target]]), logged.log);
  onTestFinished(() => control.close());
});

test("a pause has the beginning of its text as the reason, on one line", () => {
  put("irc-main.pause", `  back at\n\u001b[31mnoon ${"x".repeat(500)}`);
  control.scan();
  expect(seen[0]).toMatch(/^pause back at \[31mnoon x+$/);
  expect(seen[0]).toHaveLength("pause ".length + 200);
  expect(existsSync(join(root, "control/irc-main.pause"))).toBe(true);
});

test("a pause that is a link, a folder or a pipe is a pause without a reason, and nothing hangs", () => {
  const path = join(root, "control/irc-main.pause");
  const make = [
    () => symlinkSync("/etc/hostname", path),
    () => mkdirSync(path),
    () => void execFileSync("mkfifo", [path]),
  ];
  for (const one of make) {
    one();
    control.scan();
    rmSync(path, { recursive: true });
  }
  expect(seen).toEqual(["pause ", "pause ", "pause "]);
});

test("a restart is obeyed once and removed", () => {
  put("irc-main.restart");
  control.scan();
  control.scan();
  expect(seen).toEqual(["restart"]);
});

test("a restart that cannot be removed is not obeyed every second", () => {
  mkdirSync(join(root, "control/irc-main.restart"));
  control.scan();
  control.scan();
  expect(seen).toEqual([]);
  expect(logged.entries).toHaveLength(1);
});

test("a sync waits for its connector", () => {
  canSync = false;
  put("irc-main.sync");
  control.scan();
  expect(existsSync(join(root, "control/irc-main.sync"))).toBe(true);
  canSync = true;
  control.scan();
  expect(existsSync(join(root, "control/irc-main.sync"))).toBe(false);
  expect(seen).toEqual(["sync"]);
});

test("what is not known is said once and left", () => {
  put("ghost.pause");
  put("irc-main.explode");
  for (let scan = 0; scan < 3; scan++) control.scan();
  expect(seen).toEqual([]);
  expect(logged.entries.map(({ file }) => file).sort()).toEqual(["ghost.pause", "irc-main.explode"]);
  expect(existsSync(join(root, "control/ghost.pause"))).toBe(true);
});

test("a folder that cannot be read resumes nobody", () => {
  let resumed = 0;
  const target = { pause: () => (resumed += 1), restart: () => undefined, sync: () => true };
  const lost = new ControlFolder(join(root, "none"), () => new Map([["x", target]]), logged.log);
  lost.scan();
  lost.scan();
  expect(resumed).toBe(0);
  expect(logged.entries).toHaveLength(1);
});

test("a new file is noticed at once", async () => {
  control.watch(() => control.scan());
  put("irc-main.restart");
  await waitFor(() => seen.length > 0, { timeoutMs: 900 });
});
