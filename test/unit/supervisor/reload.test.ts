// An edit of connectors.yml touches only what changed.
import { mkdtempSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import type { ConnectorConfig, LoadedConfig } from "../../../runtime/config/model.ts";
import { ConfigWatch, planReload, problemText } from "../../../runtime/supervisor/reload.ts";
import { waitFor } from "../../helpers/wait.ts";
import { memoryLog, settings } from "./samples.ts";

const entry = (name: string, fingerprint: string, enabled = true): ConnectorConfig =>
  ({ name, type: "x", fingerprint, settings: { enabled } }) as ConnectorConfig;

const loaded = (connectors: ConnectorConfig[], invalid: string[] = []): LoadedConfig => ({
  connectors,
  invalid: invalid.map((name) => ({ name, type: "x", problems: [] })),
  supervisor: settings(),
  problems: [],
  warnings: [],
  unusable: false,
  files: [],
});

test("only what is new, changed, disabled or gone is touched", () => {
  const present = new Map(
    Object.entries({
      same: "1",
      changed: "1",
      off: "1",
      on: "1",
      gone: "1",
      broken: "1",
      repaired: undefined,
    }).map(([name, fingerprint]) => [name, { fingerprint, enabled: name !== "on" }] as const),
  );
  const now = [
    entry("same", "1"),
    entry("changed", "2"),
    entry("off", "1", false),
    entry("on", "1"),
    entry("repaired", "1"),
    entry("fresh", "1"),
    entry("asleep", "1", false),
  ];
  const plan = planReload(present, loaded(now, ["broken", "new-broken"]));
  const names = (list: Array<{ name: string }>) => list.map(({ name }) => name);
  expect({
    start: names(plan.start),
    restart: names(plan.restart),
    disable: names(plan.disable),
    same: names(plan.same),
    invalid: names(plan.invalid),
    remove: plan.remove,
  }).toEqual({
    start: ["fresh"],
    restart: ["changed", "on", "repaired"],
    disable: ["off", "asleep"],
    same: ["same"],
    invalid: ["broken", "new-broken"],
    remove: ["gone"],
  });
});

test("a problem reads with its place and what to do", () => {
  const problem = { file: "connectors.yml", line: 12, column: 5, message: "unknown key `chanels`" };
  expect(problemText(problem)).toBe("connectors.yml:12:5 unknown key `chanels`");
  expect(problemText({ ...problem, line: 0, hint: "Run x" })).toBe(
    "connectors.yml unknown key `chanels`; Run x",
  );
});

test("an edit is noticed once, however it is saved, also of a file that was not there before", async () => {
  const home = mkdtempSync(join(tmpdir(), "spoolway-reload-"));
  onTestFinished(() => rmSync(home, { recursive: true }));
  const file = join(home, "connectors.yml");
  writeFileSync(file, "1");
  let calls = 0;
  const watch = new ConfigWatch(memoryLog().log, () => (calls += 1));
  onTestFinished(() => watch.close());
  watch.follow([file, join(home, "config/defaults.yml"), join(home, ".env")]);
  await delay(300);
  expect(calls).toBe(0);

  for (let save = 0; save < 5; save++) writeFileSync(file, `2 ${save}`);
  await waitFor(() => calls === 1);

  writeFileSync(`${file}.new`, "3");
  renameSync(`${file}.new`, file); // as many editors save
  await waitFor(() => calls === 2);

  writeFileSync(join(home, ".env"), "A=1");
  await waitFor(() => calls === 3);

  mkdirSync(join(home, "config"));
  writeFileSync(join(home, "config/defaults.yml"), "x");
  await waitFor(() => calls === 4);
});
