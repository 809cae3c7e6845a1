// The pages say what the schemas say, show the examples as they are, and link to what is there.
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { errorTable } from "../../runtime/errors.ts";
import { parseDuration } from "../../runtime/timing.ts";
import { projectRoot } from "../helpers/command.ts";
import { blocks, page, pages, readmes, section } from "../helpers/docs.ts";

interface Schema {
  properties?: Record<string, Schema>;
  definitions?: Record<string, Schema>;
  items?: Schema;
}

const schema = (name: string): Schema =>
  JSON.parse(readFileSync(join(projectRoot, "schema", `${name}.schema.json`), "utf8")) as Schema;

/** Every key that a schema names, on all levels. */
function keysOf({ properties = {}, definitions = {}, items }: Schema): string[] {
  const below = [...Object.values(properties), ...Object.values(definitions), ...(items ? [items] : [])];
  return [...new Set([...Object.keys(properties), ...below.flatMap(keysOf)])];
}

const missing = (keys: readonly string[], text: string): string[] =>
  keys.filter((key) => !new RegExp(`[\`"{ ]${key}[\`":]`).test(text));

const protocol = page("docs/protocol.md");

describe("docs/protocol.md explains every key of", () => {
  const incoming = [section(protocol, "What an event says"), section(protocol, "Attachments")].join("\n");
  const outgoing = [section(protocol, "What a message says"), section(protocol, "Attachments")].join("\n");
  test.each([
    ["inbound", incoming],
    ["outgoing", outgoing],
    ["heartbeat", section(protocol, "Is it alive?")],
    ["supervisor", section(protocol, "Is it alive?")],
  ])("%s.schema.json", (name, text) => {
    expect(missing(keysOf(schema(name)), text)).toEqual([]);
  });
  test.each([
    ["receipt", section(protocol, "What became of it")],
    ["dead-letter", section(protocol, "Retries and dead letters")],
  ])("%s.schema.json", (name, text) => {
    expect(missing(Object.keys(schema(name).properties ?? {}), text)).toEqual([]);
  });
});

describe("docs/operating.md explains every key of", () => {
  const defaults = parse(page("config/defaults.yml")) as Record<string, Record<string, unknown>>;
  const reference = section(page("docs/operating.md"), "Limits");
  const rows = new Map(
    [...reference.matchAll(/^\| `([a-z_.]+)` \| ([^|]*) \|/gm)].map(([, key = "", value = ""]) => [
      key,
      value.trim(),
    ]),
  );
  /** What the table says for a default, or for a key that has none. */
  const shown = (value: unknown): string => (value === undefined ? "none" : `\`${String(value)}\``);

  test("schema/runtime.schema.json, with its default", () => {
    const { retry, ...plain } = schema("runtime").properties ?? {};
    const wanted = Object.keys(plain).map((key) => [key, shown(defaults.connector?.[key])]);
    const retryDefaults = defaults.connector?.retry as Record<string, unknown>;
    for (const key of Object.keys(retry?.properties ?? {}))
      wanted.push([`retry.${key}`, shown(retryDefaults[key])]);
    expect(wanted.map(([key = ""]) => [key, rows.get(key)])).toEqual(wanted);
  });

  test("`supervisor` in config/defaults.yml, with its default", () => {
    const wanted = Object.entries(defaults.supervisor ?? {}).map(([key, value]) => [key, shown(value)]);
    expect(wanted.map(([key = ""]) => [key, rows.get(key)])).toEqual(wanted);
  });

  test("and of nothing else", () => {
    const known = [...keysOf(schema("runtime")), ...Object.keys(defaults.supervisor ?? {})];
    expect([...rows.keys()].filter((key) => !known.includes(key.replace("retry.", "")))).toEqual([]);
  });
});

test("the systemd unit gives the supervisor the time that it takes to end", () => {
  const unit = blocks(page("docs/operating.md")).find(({ info }) => info === "ini")?.text ?? "";
  const { supervisor } = parse(page("config/defaults.yml")) as { supervisor: { shutdown: string } };
  const seconds = Number(/^TimeoutStopSec=(\d+)$/m.exec(unit)?.[1]);
  // The supervisor grants five seconds more to what it has killed.
  expect(seconds).toBeGreaterThan(parseDuration(supervisor.shutdown) / 1000 + 5);
  expect(unit).toMatch(/^KillMode=mixed$/m);
});

test("docs/errors.md has the fate of every code", () => {
  const text = page("docs/errors.md");
  const rows = [...text.matchAll(/^\| `([a-z_]+)` +\| +`([a-z_]+)` +\|/gm)].map(([, code, fate]) => [
    code,
    fate,
  ]);
  const wanted = Object.entries(errorTable).map(([code, [fate]]) => [code, fate]);
  expect(Object.fromEntries(rows)).toEqual(Object.fromEntries(wanted));
});

describe("examples", () => {
  const shown = pages().flatMap((path) =>
    blocks(page(path)).flatMap(({ note, text }) =>
      /^(examples|recipes)\//.test(note ?? "") ? [{ path, file: `docs/${note}`, text }] : [],
    ),
  );
  test("stand in the pages as they are in docs/examples and docs/recipes", () => {
    for (const { path, file, text } of shown) expect({ path, text }).toEqual({ path, text: page(file) });
  });
  test("are all shown somewhere", () => {
    const files = ["docs/examples", "docs/recipes"].flatMap((folder) =>
      readdirSync(join(projectRoot, folder)).map((name) => `${folder}/${name}`),
    );
    expect(files.filter((file) => !shown.some((one) => one.file === file))).toEqual([]);
  });
});

/** As GitHub makes it. */
const anchor = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\- _]/gu, "")
    .replaceAll(" ", "-");

const anchors = (text: string): string[] => {
  const plain = text.replace(/^```[\s\S]*?^```/gm, "");
  return [...plain.matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) => anchor(heading));
};

test.each([...pages(), ...readmes()])("every link in %s leads somewhere", (path) => {
  const broken: string[] = [];
  for (const [, target = ""] of page(path).matchAll(/\]\(([^)\s]+)\)/g)) {
    if (/^[a-z]+:/.test(target)) continue;
    const [file = "", fragment] = target.split("#");
    const to = file === "" ? path : normalize(join(dirname(path), file));
    const exists = existsSync(join(projectRoot, to));
    if (!exists || (fragment !== undefined && !anchors(page(to)).includes(fragment))) broken.push(target);
  }
  expect(broken).toEqual([]);
});
