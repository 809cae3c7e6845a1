// A connectors.yml that is unusable as a whole: it says why, where and what to do, and no entry is read.
import { chmodSync, mkdirSync, symlinkSync } from "node:fs";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { loadConfig } from "../../../runtime/config/load.ts";
import { briefs, entry, load, makeHome } from "./home.ts";

describe("the file itself", () => {
  test("missing: says where to create it, and with what", async () => {
    const loaded = await load(null);
    expect(loaded).toMatchObject({ unusable: true, connectors: [], invalid: [] });
    expect(loaded.problems).toMatchObject([
      { file: "connectors.yml", line: 0, column: 0, message: "does not exist" },
    ]);
    expect(loaded.problems[0]?.hint).toMatch(/--home[\s\S]*- name: web/);
  });

  test("called .yaml: says to rename it", async () => {
    expect(briefs(await load(null, { "connectors.yaml": "connectors: []" }))).toEqual([
      "0:0 does not exist [Rename connectors.yaml to connectors.yml.]",
    ]);
  });

  test("10 MB: refused by its size, before it is parsed", async () => {
    const started = performance.now();
    const loaded = await load(Buffer.alloc(10_000_000, "- a\n"));
    expect(performance.now() - started).toBeLessThan(2000);
    expect(loaded.unusable).toBe(true);
    expect(briefs(loaded)).toEqual([
      expect.stringMatching(/^0:0 is 9766 KiB large, at most 1024 KiB are allowed; it was not read \[/),
    ]);
  });

  test("a folder, a pipe: no hang", async () => {
    const home = makeHome(null);
    mkdirSync(join(home, "connectors.yml"));
    expect(briefs(await loadConfig(home))).toEqual([expect.stringContaining("is a folder")]);
    const piped = makeHome(null);
    execFileSync("mkfifo", [join(piped, "connectors.yml")]);
    expect(briefs(await loadConfig(piped))).toEqual([expect.stringContaining("is not a regular file")]);
  });

  test.skipIf(process.getuid?.() === 0)("unreadable: says who needs the permission", async () => {
    const home = makeHome("connectors: []");
    chmodSync(join(home, "connectors.yml"), 0);
    expect(briefs(await loadConfig(home))).toEqual([
      expect.stringMatching(/permission denied \[Give the user/),
    ]);
  });

  test("a symbolic link is followed", async () => {
    const home = makeHome(null, { "real.yml": "connectors: []" });
    symlinkSync("real.yml", join(home, "connectors.yml"));
    expect((await loadConfig(home)).problems).toEqual([]);
  });

  test.each([
    ["UTF-16", Buffer.from("\uFEFFconnectors: []", "utf16le"), "0:0 is in UTF-16 [Save it as UTF-8.]"],
    [
      "invalid UTF-8",
      Buffer.from([0x61, 0x3a, 0x20, 0xff, 0xfe]),
      "0:0 is not valid UTF-8 [Save it as UTF-8.]",
    ],
    ["a NUL", Buffer.from("a: b\nc: \0"), "2:4 a control character (U+0000) [Remove it.]"],
  ])("%s", async (_name, bytes, problem) => {
    const loaded = await load(bytes);
    expect(loaded.unusable).toBe(true);
    expect(briefs(loaded)).toEqual([problem]);
  });
});

describe("the shape", () => {
  test.each([
    ["empty", "", "1:1 there is nothing in it"],
    ["only comments", "# later\n", "1:1 there is nothing in it"],
    ["null", "~\n", "1:1 there is nothing in it"],
    [
      "a list",
      "- name: a\n  type: demo\n",
      "1:1 found a list, expected the key `connectors` [Put `connectors:` above the list.]",
    ],
    ["a scalar", "hello\n", "1:1 found a text (not shown), expected the key `connectors`"],
    ["another key", "bots: []\n", "1:1 unknown key `bots`"],
    ["a misspelt key", "conectors: []\n", "1:1 unknown key `conectors` [did you mean `connectors`?]"],
    [
      "no value",
      "connectors:\n",
      "1:1 `connectors` is empty, expected a list [For none write: connectors: []]",
    ],
    [
      "a group",
      "connectors:\n  web: { type: demo }\n",
      "2:3 `connectors` is a group of keys, expected a list [Start each connector with `- name:`.]",
    ],
    ["a text", "connectors: web\n", "1:13 `connectors` is a text (not shown), expected a list"],
    [
      "the key twice",
      "connectors: []\nconnectors: []\n",
      "2:1 the key `connectors` is there twice, first in line 1",
    ],
  ])("%s", async (_name, text, problem) => {
    const loaded = await load(text);
    expect(loaded).toMatchObject({ unusable: true, connectors: [] });
    expect(briefs(loaded)[0]).toContain(problem);
  });

  test("an unknown key beside `connectors` is a mistake, and the connectors run", async () => {
    const loaded = await load(`${entry()}runtime: {}\n`);
    expect(loaded.unusable).toBe(false);
    expect(loaded.connectors).toHaveLength(1);
    expect(briefs(loaded)).toEqual(["5:1 unknown key `runtime` [It belongs to an entry of `connectors`.]"]);
  });
});

describe("the syntax", () => {
  test.each([
    [
      "tabs",
      "connectors:\n\t- name: a\n\t\ttype: demo\n",
      ["2:1 not valid YAML: a tab as indentation [Use spaces: YAML allows no tabs there.]"],
    ],
    ["an open quote", 'connectors:\n  - name: "a\n', ["3:1 not valid YAML: missing closing"]],
    [
      "an @",
      "connectors:\n  - name: @a\n",
      ["2:11 not valid YAML: a value cannot start with this character [Put the value in quotes.]"],
    ],
    ["two colons", "connectors:\n  - name: a: b\n", ["2:11 not valid YAML: a second key in the same line"]],
    [
      "two documents",
      "connectors: []\n---\nconnectors: []\n",
      ["2:1 not valid YAML: a second document (---) [Put everything in one document.]"],
    ],
    [
      "a list and a key",
      "connectors:\n  - name: a\n  type: demo\n",
      ["3:1 not valid YAML: the indentation fits no line above"],
    ],
    [
      "a brace in a flow",
      entry("account: { user: ${USER} }"),
      ['5:23 not valid YAML: this does not belong here [Inside { } and [ ] put it in quotes: "${NAME}"]'],
    ],
    [
      "a # in a list",
      entry("channels: [#dev, #ops]"),
      [
        '5:16 not valid YAML: a # begins a comment here [If it belongs to a text, put it in quotes: ["#dev"]]',
      ],
    ],
    [
      "a # in a spaced list",
      entry("channels: [ '#a', #dev ]", "port: 1"),
      ["5:23 not valid YAML: a # begins a comment here"],
    ],
    ["a brace in a list", entry("keys: [ ${USER} ]"), ['[Inside { } and [ ] put it in quotes: "${NAME}"]']],
  ])("%s", async (_name, text, problems) => {
    const loaded = await load(text);
    expect(loaded).toMatchObject({ unusable: true, connectors: [], invalid: [] });
    const found = briefs(loaded);
    for (const [i, problem] of problems.entries()) expect(found[i]).toContain(problem);
  });

  test("every wrong line is reported once, up to a limit", async () => {
    const tabs = await load(`connectors:\n${"\t- name: a\n".repeat(5)}`);
    expect(tabs.problems.map(({ line }) => line)).toEqual([
      ...new Set(tabs.problems.map(({ line }) => line)),
    ]);
    const many = await load("a: @b\n".repeat(1000));
    expect(many.problems).toHaveLength(21);
    expect(many.problems.at(-1)?.message).toContain("more");
  });

  test("100,000 levels of nesting", { timeout: 20_000 }, async () => {
    for (const text of ["[".repeat(100_000), `connectors: ${"{a: ".repeat(100_000)}`, "- ".repeat(100_000)]) {
      const loaded = await load(text);
      expect(loaded.unusable).toBe(true);
      expect(loaded.problems[0]?.message).toContain("nested too deeply");
    }
  });

  test("more connectors than any machine runs", async () => {
    expect(briefs(await load(`connectors:\n${"- a\n".repeat(5000)}`))).toEqual([
      "1:1 5000 connectors, at most 1000 are allowed [Divide them among several homes.]",
    ]);
  });

  test(
    "20,000 aliases, and 20,000 times the same key, take no quadratic time",
    { timeout: 20_000 },
    async () => {
      const started = performance.now();
      await load(entry("any:", "  - &a x", ...Array.from({ length: 20_000 }, () => "  - *a")));
      const twice = await load(entry(...Array.from({ length: 20_000 }, () => "any: 1")));
      expect(twice.problems).toHaveLength(51);
      expect(twice.problems.at(-1)?.message).toBe("and 19949 more mistakes in this entry");
      expect(performance.now() - started).toBeLessThan(8000);
    },
  );
});
