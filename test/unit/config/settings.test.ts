// config/defaults.yml: Spoolway's own, the home's over it, and what a mistake in them does.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { lastResort } from "../../../runtime/config/defaults.ts";
import { loadConfig } from "../../../runtime/config/load.ts";
import { supervisorSettings } from "../../../runtime/config/settings.ts";
import type { SupervisorDefaults } from "../../../schema/types.ts";
import { packageRoot } from "../../../runtime/config/types.ts";
import { brief, entry, load, makeHome } from "./home.ts";

const ownDefaults = readFileSync(join(packageRoot, "config/defaults.yml"), "utf8");

test("the home's defaults lie over Spoolway's, key by key", async () => {
  const files = {
    "config/defaults.yml":
      "connector: { drain: 1s, retry: { attempts: 2 } }\nsupervisor: { watchdog: 500ms }\n",
  };
  const loaded = await load(entry(), files);
  expect(loaded.problems).toEqual([]);
  expect(loaded.connectors[0]?.settings).toMatchObject({
    drainMs: 1000,
    retryAttempts: 2,
    retryBaseMs: 1000,
    settleMs: 5000,
  });
  expect(loaded.supervisor).toMatchObject({ watchdogMs: 500, parkCrashes: 5 });
});

test.each([
  ["connector: { drian: 1s }", "1:14 unknown key `drian` in `connector` [did you mean `drain`?]"],
  [
    "supervisor: { watchdog: 10 }",
    '1:25 `supervisor.watchdog` is 10, expected text [Put it in quotes: "10"]',
  ],
  ["supervisor: { watchdog: 10x }", '1:25 `supervisor.watchdog` is the text "10x", expected text like'],
  ["supervisor: { watchdog: 0s }", "1:25 `supervisor.watchdog` is 0s, expected at least 1ms"],
  ["supervisor: { park_crashes: 0 }", "1:29 `supervisor.park_crashes` is 0, expected at least 1"],
  ["supervizor: {}", "1:1 unknown key `supervizor` [did you mean `supervisor`?]"],
  ["- a", "1:1 expected the groups `connector` and `supervisor`"],
  ["connector:\n\tdrain: 1s", "2:1 not valid YAML: a tab as indentation"],
  ["connector: { drain: 1s, drain: 2s }", "1:25 the key `drain` is there twice"],
])(
  "a mistake in the home's defaults makes the configuration unusable, in its place: %s",
  async (text, problem) => {
    const loaded = await load(entry("prot: 1"), { "config/defaults.yml": text });
    expect(loaded).toMatchObject({ unusable: true, connectors: [], supervisor: lastResort });
    const [first, ...others] = loaded.problems;
    expect(first && brief(first)).toContain(problem);
    expect(first?.file).toBe("config/defaults.yml");
    // The mistakes of connectors.yml are reported all the same.
    expect(others.map(({ file, line }) => [file, line])).toContainEqual(["connectors.yml", 5]);
  },
);

test("an empty file of defaults changes nothing", async () => {
  expect((await load(entry(), { "config/defaults.yml": "{}\n" })).problems).toEqual([]);
  expect((await load(entry(), { "config/defaults.yml": "# nothing yet\n" })).problems).toEqual([]);
});

test("a key that is missing in Spoolway's own defaults is named", async () => {
  const root = makeHome("connectors: []", {
    "config/defaults.yml": ownDefaults.replace(/^ {2}settle:.*$/m, ""),
  });
  const loaded = await loadConfig(root, { root });
  expect(loaded.unusable).toBe(true);
  expect(loaded.problems).toMatchObject([
    { file: "config/defaults.yml", message: "`connector.settle` is missing in config/defaults.yml" },
  ]);
});

test("Spoolway's own defaults that are gone are a problem, not a crash", async () => {
  const root = makeHome(entry());
  const loaded = await loadConfig(makeHome(entry()), { root });
  expect(loaded.unusable).toBe(true);
  expect(loaded.problems.map(({ message }) => message)).toEqual(["does not exist"]);
});

test("what stands in for broken defaults is what Spoolway's own say", () => {
  const { supervisor } = parse(ownDefaults) as { supervisor: SupervisorDefaults };
  expect(lastResort).toEqual(supervisorSettings(supervisor));
});

test("Spoolway's own folder as home reads its defaults once", async () => {
  const root = makeHome("connectors: []", { "config/defaults.yml": ownDefaults });
  mkdirSync(join(root, "spool"));
  writeFileSync(join(root, "config/defaults.yml"), `${ownDefaults}\nwrong: 1\n`);
  const { problems } = await loadConfig(root, { root });
  expect(problems).toHaveLength(1);
});
