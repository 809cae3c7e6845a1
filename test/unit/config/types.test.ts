// Connector types: found by folder, path or package; broken ones are problems; no connector's code runs.
import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { closed, compileSchema } from "../../../runtime/config/compiler.ts";
import { configCheck, readManifest } from "../../../runtime/config/manifest.ts";
import type { Check } from "../../../runtime/config/validate.ts";
import { loadConfig } from "../../../runtime/config/load.ts";
import { listTypes, packageRoot, resolveType } from "../../../runtime/config/types.ts";
import { brief, briefs, demoManifest, entry, load, makeHome } from "./home.ts";

const manifest = (changes: object): string => JSON.stringify({ ...demoManifest, ...changes });
const of = (folder: string, changes: object, code = "connector.js"): Record<string, string> => ({
  [`${folder}/manifest.json`]: manifest(changes),
  [`${folder}/${code}`]: "throw new Error('never run')",
});

/** The outcome of a check, the errors, the value with its defaults, and what was noted as secret. */
function saidBy(check: Check, config: object): unknown {
  const [value, secrets] = [structuredClone(config), new Set<string>()];
  const valid = check.call(secrets, value);
  return JSON.parse(JSON.stringify({ valid, errors: check.errors, value, secrets: [...secrets] }));
}

describe("the list", () => {
  test("has Spoolway's own types and the home's, which win", async () => {
    const home = makeHome("connectors: []", of("connectors/schedule", { type: "schedule", title: "Mine" }));
    const { types } = await listTypes(home);
    expect(types.find(({ type }) => type === "demo")).toMatchObject({ origin: "home" });
    expect(types.find(({ type }) => type === "schedule")).toMatchObject({
      origin: "home",
      manifest: { title: "Mine" },
    });
    expect(types.find(({ type }) => type === "cli")).toMatchObject({ origin: "built-in" });
  });

  test("of Spoolway's own folder holds each type once", async () => {
    const { types } = await listTypes(packageRoot);
    expect(new Set(types.map(({ type }) => type)).size).toBe(types.length);
    expect(new Set(types.map(({ origin }) => origin))).toEqual(new Set(["built-in"]));
  });

  test("Spoolway's own manifests are right, though nobody asks when they are used", async () => {
    const { types } = await listTypes(packageRoot);
    expect(types.length).toBeGreaterThan(15);
    for (const { folder, manifest } of types) {
      expect(await readManifest(folder, "path", folder)).toMatchObject({ type: { manifest } });
      expect(() => compileSchema(manifest.config)).not.toThrow();
    }
  });

  test("the checks made of them beforehand say the same as their schemas", async () => {
    for (const type of (await listTypes(packageRoot)).types) {
      const { properties = {} } = type.manifest.config as { properties?: Record<string, object> };
      const made = (await configCheck(type, "")) as Check;
      const compiled = compileSchema(closed(type.manifest.config));
      const all = (value: unknown): object =>
        Object.fromEntries(Object.keys(properties).map((key) => [key, value]));
      for (const config of [
        {},
        { unknown: 1 },
        all(""),
        all(-1),
        all(true),
        all({ a: [] }),
        all([1, "", {}]),
      ])
        expect([type.type, config, saidBy(made, config)]).toEqual([
          type.type,
          config,
          saidBy(compiled, config),
        ]);
    }
  });

  test("an edited manifest of Spoolway's own is read as it is", async () => {
    const changed = makeHome("connectors: []", of("connectors/cli", { type: "cli", direction: "up" }));
    const { problems } = await listTypes(makeHome("connectors: []"), changed);
    expect(problems.map(({ file }) => file)).toEqual([join(changed, "connectors/cli/manifest.json")]);
  });

  test.each([
    [
      "not JSON",
      { "connectors/b/manifest.json": '{"type": "b",\n "title": }' },
      "2:11 is not JSON: Unexpected token '}' [Write one JSON object.]",
    ],
    ["a wrong key", of("connectors/b", { type: "b", titel: "x" }), "1:"],
    [
      "no title",
      { "connectors/b/manifest.json": '{"type":"b","config":{}}', "connectors/b/connector.js": "" },
      "1:1 `title` is missing",
    ],
    ["no manifest", { "connectors/b/connector.js": "" }, "0:0 does not exist"],
    [
      "no code",
      { "connectors/b/manifest.json": manifest({ type: "b" }) },
      "1:1 its code is missing: there is no connector.ts or connector.js",
    ],
    [
      "another's name",
      of("connectors/b", { type: "c" }),
      '1:1 `type` is "c", expected the folder\'s name "b"',
    ],
    [
      "an entry outside",
      of("connectors/b", { type: "b", entry: "../demo/connector.ts" }),
      '1:1 `entry` is "../demo/connector.ts"',
    ],
    [
      "a misspelt secret",
      of("connectors/b", { type: "b", config: { properties: { t: { type: "string", secrt: true } } } }),
      "secrt",
    ],
    [
      "a wrong schema",
      of("connectors/b", { type: "b", config: { properties: { t: { type: "strng" } } } }),
      "no usable JSON Schema",
    ],
    [
      "a pattern that is none",
      of("connectors/b", { type: "b", config: { properties: { t: { type: "string", pattern: "(" } } } }),
      "Invalid regular expression",
    ],
    [
      "a schema of another draft",
      of("connectors/b", {
        type: "b",
        config: { $schema: "https://json-schema.org/draft/2020-12/schema", properties: {} },
      }),
      "expected http://json-schema.org/draft-07/schema#",
    ],
    [
      "a taken key",
      of("connectors/b", { type: "b", config: { properties: { name: {} } } }),
      "1:1 the config key `name` is taken",
    ],
  ])("a broken type is a problem, and disturbs no other: %s", async (_name, files, problem) => {
    const home = makeHome("connectors: []", files as Record<string, string>);
    const list = await listTypes(home);
    expect(list.problems.map((found) => found.file)).toEqual(["connectors/b/manifest.json"]);
    expect(list.problems.map(brief)[0]).toContain(problem);
    expect(list.types.map(({ type }) => type)).toContain("demo");
    expect(list.types.map(({ type }) => type)).not.toContain("b");
    // One that no entry uses is no problem of connectors.yml; one that is used is.
    expect((await loadConfig(home)).problems).toEqual([]);
  });

  test("an entry of a broken type says what is wrong with the type, and where", async () => {
    const loaded = await load("connectors:\n  - name: a\n    type: b\n", of("connectors/b", { type: "c" }));
    expect(briefs(loaded)).toEqual([
      '3:11 the type "b" cannot be used: connectors/b/manifest.json:1:1 `type` is "c", expected the folder\'s name "b" [Rename the folder or the type.]',
    ]);
  });

  test("connector.ts comes before connector.js; `entry` and `loader` are taken from the manifest", async () => {
    const home = makeHome("connectors: []", {
      ...of("connectors/a", { type: "a" }),
      "connectors/a/connector.ts": "",
      ...of("connectors/b", { type: "b", entry: "lib/main.mjs", loader: "tsx" }, "lib/main.mjs"),
    });
    const { types } = await listTypes(home);
    expect(types.find(({ type }) => type === "a")?.entry).toBe(join(home, "connectors/a/connector.ts"));
    expect(types.find(({ type }) => type === "b")?.entry).toBe(join(home, "connectors/b/lib/main.mjs"));
  });

  test("links to folders are types too; hidden folders and files are not", async () => {
    const home = makeHome("connectors: []", {
      ...of("elsewhere", { type: "linked" }),
      "connectors/.git/x": "",
      "connectors/_lib/x": "",
      "connectors/x.txt": "",
    });
    symlinkSync("../elsewhere", join(home, "connectors/linked"));
    const list = await listTypes(home);
    expect(list.problems).toEqual([]);
    expect(list.types.map(({ type }) => type)).toContain("linked");
  });
});

describe("type:", () => {
  const typed = (type: string): string => `connectors:\n  - name: a\n    type: ${type}\n    server: x\n`;

  test("may be a path, relative to the home or absolute", async () => {
    const home = makeHome(typed("./mine/bot"), of("mine/bot", { type: "bot" }));
    expect((await loadConfig(home)).connectors).toMatchObject([
      { type: "bot", entry: join(home, "mine/bot/connector.js") },
    ]);
    expect(await resolveType(home, join(home, "mine/bot"))).toMatchObject({
      type: { type: "bot", origin: "path" },
    });
    expect(briefs(await load(typed("./nowhere")))).toEqual([
      '3:11 the type "./nowhere" cannot be used: nowhere/manifest.json does not exist [Create it.]',
    ]);
  });

  test("may be an installed package, also one that exports nothing", async () => {
    const files = {
      ...of("node_modules/@ada/spoolway-bot", { type: "bot" }),
      "node_modules/@ada/spoolway-bot/package.json": '{"name":"@ada/spoolway-bot","exports":{}}',
    };
    const home = makeHome(typed("'@ada/spoolway-bot'"), files);
    const { connectors, problems } = await loadConfig(home);
    expect(problems).toEqual([]);
    expect(connectors).toMatchObject([
      { type: "bot", entry: join(home, "node_modules/@ada/spoolway-bot/connector.js") },
    ]);
  });

  test("of a package in TypeScript needs the tsx loader, since Node strips no types there", async () => {
    const files: Record<string, string> = {
      ...of("node_modules/bot", { type: "bot" }, "connector.ts"),
      "node_modules/bot/package.json": "{}",
    };
    expect(briefs(await load(typed("bot"), files))[0]).toContain(
      "connector.ts is TypeScript, which Node does not run from node_modules",
    );
    files["node_modules/bot/manifest.json"] = manifest({ type: "bot", loader: "tsx" });
    expect((await load(typed("bot"), files)).connectors).toMatchObject([{ loader: "tsx" }]);
  });

  test.each(["fs", "node:fs", "..", "a/../b", "%2e", "~"])("of %s is unknown, not a crash", async (type) => {
    const [problem] = briefs(await load(typed(JSON.stringify(type))));
    expect(problem).toMatch(/^3:11 unknown type/);
  });
});

describe("schemas", () => {
  const withConfig = (config: object): Record<string, string> => of("connectors/demo", { config });

  test("unknown keys are mistakes also where the manifest does not say so", async () => {
    const files = withConfig({ properties: { server: { type: "string" } } });
    expect(briefs(await load(entry("prot: 1"), files))).toEqual([
      expect.stringContaining("unknown key `prot`"),
    ]);
  });

  test("secrets are found behind $ref, items and alternatives", async () => {
    const files = withConfig({
      definitions: { secret: { type: "string", secret: true } },
      properties: {
        server: {},
        a: { $ref: "#/definitions/secret" },
        b: { type: "array", items: { $ref: "#/definitions/secret" } },
        c: { oneOf: [{ type: "integer" }, { $ref: "#/definitions/secret" }] },
        d: { type: "object", secret: true },
      },
    });
    const { connectors, problems } = await load(
      entry("a: aaaa", "b: [bbbb]", "c: cccc", "d: { x: { y: dddd } }"),
      files,
    );
    expect(problems).toEqual([]);
    expect([...(connectors[0]?.secrets ?? [])].sort()).toEqual(["aaaa", "bbbb", "cccc", "dddd"]);
  });

  test("a manifest's runtime settings lie between the defaults and the entry's", async () => {
    const files = of("connectors/demo", { runtime: { concurrency: 2, rate: "1/s", retry: { attempts: 3 } } });
    const { connectors } = await load(entry("runtime: { rate: 60/m, retry: { max: 1h } }"), files);
    expect(connectors[0]?.settings).toMatchObject({
      concurrency: 2,
      rate: { count: 60, perMs: 60_000 },
      retryAttempts: 3,
      retryBaseMs: 1000,
      retryMaxMs: 3_600_000,
      memoryMb: 512,
    });
  });

  test("two manifests may have the same $id", async () => {
    const config = { $id: "same", properties: { server: { type: "string" } } };
    const files = {
      ...withConfig(config),
      ...of("connectors/other", { type: "other", config: { ...config, required: ["server"] } }),
    };
    const text = `${entry()}  - name: two\n    type: other\n    server: x\n`;
    expect((await load(text, files)).problems).toEqual([]);
  });
});

test("a home without connectors/ has Spoolway's own types", async () => {
  const home = makeHome("connectors: []");
  mkdirSync(join(home, "sub"));
  expect((await listTypes(join(home, "sub"))).types.map(({ type }) => type)).toContain("cli");
});
