// ${NAME}, ${NAME:-default} and ${file:path}: inserted, coerced, missing at their place; and what is secret never shows.
import { execFileSync } from "node:child_process";
import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { loadConfig } from "../../../runtime/config/load.ts";
import { briefs, entry, load, makeHome, shown } from "./home.ts";

const configOf = async (line: string, files = {}, env = {}): Promise<Record<string, unknown> | undefined> => {
  const { connectors, problems } = await load(entry(line), files, env);
  expect(problems).toEqual([]);
  return connectors[0]?.config;
};

describe("insertion", () => {
  test.each([
    ["any: ${A}", "alpha"],
    ["any: 'x-${A}-${B}-y'", "x-alpha-beta-y"],
    ["any: ${NOPE:-fallback}", "fallback"],
    ["any: ${EMPTY:-fallback}", "fallback"],
    ["any: ${NOPE:-}", ""],
    ["any: ${EMPTY}", ""],
    ["any: ${A:-fallback}", "alpha"],
    ["any: $${A}", "${A}"],
    ["any: '$${A} is ${A}'", "${A} is alpha"],
    ["any: $A and $", "$A and $"],
    ["any: ${DOLLAR}", "${A}"],
    ["any: ${file:secret}", "from a file"],
    ["any: { a: [ '${A}' ] }", { a: ["alpha"] }],
    ["any: |\n      one ${A}\n      two", "one alpha\ntwo\n"],
  ])("%s", async (line, value) => {
    const env = { A: "alpha", B: "beta", EMPTY: "", DOLLAR: "${A}" };
    expect((await configOf(line, { secret: "from a file\n" }, env))?.any).toEqual(value);
  });

  test("only one line end of a file is taken off", async () => {
    expect((await configOf("any: ${file:f}", { f: " a\r\n\r\n" }))?.any).toBe(" a\r\n");
  });

  test("a file may be a link, as secrets are mounted", async () => {
    const home = makeHome(entry("any: ${file:secrets/token}"), { "store/1": "s3cr3t\n" });
    mkdirSync(join(home, "secrets"));
    symlinkSync("../store/1", join(home, "secrets/token"));
    const { connectors } = await loadConfig(home, { env: {} });
    expect(connectors[0]?.config.any).toBe("s3cr3t");
  });

  test("variables of .env are known; the environment wins", async () => {
    const files = { ".env": "A=file\nB='from file'\n# no\n" };
    expect((await configOf("any: '${A} ${B}'", files, { A: "environment" }))?.any).toBe(
      "environment from file",
    );
  });

  test("name, type and runtime take variables too", async () => {
    const text = entry("runtime: { enabled: '${ON}', concurrency: '${N}' }").replace(
      "name: one",
      "name: ${NAME}",
    );
    const { connectors, problems } = await load(
      text.replace("type: demo", "type: ${TYPE}"),
      {},
      { NAME: "two", TYPE: "demo", ON: "false", N: "3" },
    );
    expect(problems).toEqual([]);
    expect(connectors[0]).toMatchObject({
      name: "two",
      type: "demo",
      settings: { enabled: false, concurrency: 3 },
      secrets: [],
    });
  });
});

describe("coercion", () => {
  test.each([
    ["port", "8080", 8080],
    ["tls", "false", false],
    ["ratio", "-1.5e3", -1500],
    ["listen", "80", 80],
    ["server", "8080", "8080"],
    ["any", "8080", "8080"],
  ])("%s: ${V} with %s", async (key, value, result) => {
    const text = `connectors:\n  - name: a\n    type: demo\n    ${key === "server" ? "" : "server: x\n    "}${key}: \${V}\n`;
    const { connectors, problems } = await load(text, {}, { V: value });
    expect(problems).toEqual([]);
    expect(connectors[0]?.config[key]).toBe(result);
  });

  test.each(["0x10", "8080 ", "08", "1.5", "", "yes", "99999999999999999999"])(
    "port: ${V} with %j is a mistake, and the value is not shown",
    async (value) => {
      const loaded = await load(entry("port: ${V}"), {}, { V: value });
      expect(briefs(loaded)).toEqual(["5:11 `port` is what ${V} stands for, expected a whole number"]);
    },
  );

  test("only where the whole value is one ${…}", async () => {
    expect(briefs(await load(entry("port: 80${V}"), {}, { V: "80" }))).toEqual([
      "5:11 `port` is what ${V} stands for, expected a whole number",
    ]);
  });
});

describe("what is missing or wrong", () => {
  const unset = (name: string): string =>
    `the variable ${name} is not set [Set it in the environment or in .env beside connectors.yml, or give a default: \${${name}:-value}]`;

  test.each([
    ["any: ${NOPE}", `5:10 ${unset("NOPE")}`],
    ["port: ${NOPE}", `5:11 ${unset("NOPE")}`],
    ["any: 'ab ${NOPE}'", `5:14 ${unset("NOPE")}`],
    ["any: ${constructor}", `5:10 ${unset("constructor")}`],
    ["any: ${IRC_NCIK}", "5:10 the variable IRC_NCIK is not set [did you mean `IRC_NICK`?]"],
    [
      "any: ${a b}",
      "5:10 a ${…} of no known form [Write ${NAME}, ${NAME:-default} or ${file:path}; for a literal ${ write $${]",
    ],
    [
      "any: 'a${b'",
      "5:12 a ${ without its } [Write ${NAME}, ${NAME:-default} or ${file:path}; for a literal ${ write $${]",
    ],
    [
      "any: ${file:nope}",
      "5:10 the file of ${file:nope} does not exist [Create it. Paths are relative to the folder of connectors.yml.]",
    ],
    ["any: ${file:connectors}", "5:10 the file of ${file:connectors} is a folder, not a file"],
  ])("%s", async (line, problem) => {
    const loaded = await load(entry(line), {}, { IRC_NICK: "ada" });
    expect(briefs(loaded)).toEqual([expect.stringContaining(problem)]);
    expect(loaded.connectors).toEqual([]);
  });

  test("several in one value are each found at their own place", async () => {
    const loaded = await load(
      entry("any: ${A1}-${B2}", "server: ${C3}").replace("    server: irc.example.org\n", ""),
    );
    expect(loaded.problems.map(({ line, column }) => [line, column])).toEqual([
      [4, 10],
      [4, 16],
      [5, 13],
    ]);
  });

  test("a file that is too large, a pipe, or not text", async () => {
    expect(briefs(await load(entry("any: ${file:big}"), { big: "x".repeat(65_537) }))[0]).toContain(
      "is 65 KiB large, at most 64 KiB are allowed",
    );
    expect(briefs(await load(entry("any: ${file:bin}"), { bin: Buffer.from([255, 254, 0]) }))[0]).toContain(
      "is in UTF-16",
    );
    const home = makeHome(entry("any: ${file:pipe}"));
    execFileSync("mkfifo", [join(home, "pipe")]);
    expect(briefs(await loadConfig(home, { env: {} }))[0]).toContain("is not a regular file");
  });

  test("a .env that cannot be read is a problem of its own", async () => {
    const home = makeHome(entry());
    mkdirSync(join(home, ".env"));
    const loaded = await loadConfig(home, { env: {} });
    expect(loaded.problems).toMatchObject([{ file: ".env", message: "is a folder, not a file" }]);
    expect(loaded.connectors).toHaveLength(1);
  });
});

describe("secrets", () => {
  test("are everything inserted, and every value that the manifest calls secret", async () => {
    const lines = [
      "token: literal-token",
      "pin: 123456",
      "keys: [key-one, '${K}']",
      "account: { user: '${U}', password: hunter2hunter2 }",
      "url: https://a:${P}@example.org/",
      "any: ${SHORT}",
      "port: ${PORT}",
    ];
    const { connectors, problems } = await load(
      entry(...lines),
      {},
      { K: "key-two", U: "user", P: "pass-word", SHORT: "abc", PORT: "8080" },
    );
    expect(problems).toEqual([]);
    expect([...(connectors[0]?.secrets ?? [])].sort()).toEqual(
      ["123456", "hunter2hunter2", "key-one", "key-two", "literal-token", "pass-word", "user"].sort(),
    );
  });

  // Every way to make a mistake beside, in or around a secret. The secret is SECRETVALUE, written in the file, in a variable and in a file.
  const secret = "SECRETVALUE";
  test.each([
    ["a wrong type beside it", ["{ token: SECRETVALUE, prot: 5 }"], true],
    ["a misspelt key", ["tokn: SECRETVALUE"], false],
    ["too short", ["token: SECRET"], false],
    ["a wrong type", ["token: [SECRETVALUE]"], false],
    ["a wrong type of a number", ["pin: SECRETVALUE"], false],
    ["a number where text is secret", ["token: 123456789012"], false],
    ["too many digits", ["token: 1234567890123456789012"], false],
    ["a tag", ["token: !x SECRETVALUE"], false],
    ["twice", ["token: SECRETVALUE", "token: SECRETVALUE2"], false],
    ["a wrong template in it", ["token: SECRETVALUE${a b}"], false],
    ["a missing variable beside it", ["token: SECRETVALUE${NOPE}"], false],
    ["a secret default", ["token: ${NOPE:-SECRET}"], false],
    ["a text for a list of secrets", ["keys: SECRETVALUE"], false],
    ["a text for a group with a secret", ["account: SECRETVALUE"], false],
    [
      "an anchor, an alias, a tag without quotes",
      ["token: &SECRETVALUE", "any: *TOPSECRETWORD", "url: !SECRETVALUE"],
      false,
    ],
    ["a comment", ["token: #SECRETVALUE"], false],
    ["a forgotten colon", ["account: { user: ada, password SECRETVALUE }"], false],
    ["a forgotten key", ["account: { user: ada, SECRETVALUE }"], false],
    ["a list of secrets", ["keys: [SECRETVALUE, 5]"], false],
    ["one line with a mistake", ["account: { password: SECRETVALUE, usr: x }"], false],
    ["a block text", ["account:", "  usr: x", "  password: |", "    SECRETVALUE", "    SECRETVALUE"], false],
    ["an alias", ["any: &s SECRETVALUE", "token: *s", "account: { usr: *s }"], false],
    ["inserted, wrong type", ["port: ${S}"], false],
    ["inserted, wrong enum", ["scheme: ${S}"], false],
    ["inserted from a file", ["channels: ['${file:secret}']"], false],
    ["inserted name", ["runtime: ${S}"], false],
    ["unparsed: quotes", ['token: "SECRETVALUE'], false],
    ["unparsed: colons", ["token: SECRETVALUE: SECRETVALUE"], false],
    ["unparsed: tabs", ["\ttoken: SECRETVALUE"], false],
    ["unparsed: braces", ["account: { user: ${U}, password: SECRETVALUE }"], false],
    ["unparsed: continuation", ["token: >", "SECRETVALUE", " SECRETVALUE]"], false],
  ])("never show in a problem: %s", async (_name, lines, flow) => {
    const text = flow
      ? `connectors:\n  - { name: one, type: demo, server: a, ${String(lines[0]).slice(2)}\n`
      : entry(...lines);
    const loaded = await load(text, { secret: `${secret}\n` }, { S: secret, U: "ada" });
    expect(loaded.problems.length).toBeGreaterThan(0);
    expect(shown(loaded.problems)).not.toMatch(/SECRET|12345/);
  });

  test("never show: an entry without a usable type, name or group", async () => {
    for (const text of [
      "connectors:\n  - { name: a, type: dmo, token: SECRETVALUE, deep: { password: [SECRETVALUE] } }\n",
      "connectors:\n  - SECRETVALUE\n",
      "connectors: SECRETVALUE\n",
      "SECRETVALUE\n",
      "- name: a\n  token: SECRETVALUE\n",
      "x: { token: SECRETVALUE }\nconnectors: []\n",
      "connectors:\n  - { name: '${S}', type: '${S}', runtime: { rate: '${S}', concurrency: '${S}' } }\n",
    ]) {
      const loaded = await load(text, {}, { S: secret });
      expect(loaded.problems.length).toBeGreaterThan(0);
      expect(shown(loaded.problems)).not.toContain("SECRET");
      expect(JSON.stringify(loaded.invalid)).not.toContain("SECRET");
    }
  });
});
