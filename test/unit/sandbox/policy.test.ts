// config/policy.yml: what sandboxed connectors are granted, what they need of it, and what is said where the two do not meet.
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { check } from "../../../runtime/commands/check.ts";
import { loadConfig } from "../../../runtime/config/load.ts";
import { filled } from "../../../runtime/config/needs.ts";
import { readPolicy } from "../../../runtime/config/policy.ts";
import { formatProblems } from "../../../runtime/config/report.ts";
import { noGrants } from "../../../runtime/sandbox/grants.ts";
import { demoManifest, makeHome } from "../config/home.ts";

const capabilities = { network: ["{server}:{port}"] };
const demo = { "connectors/demo/manifest.json": JSON.stringify({ ...demoManifest, capabilities }) };
const sandboxed = (name: string, more = "server: irc.example.org"): string =>
  `  - name: ${name}\n    type: demo\n    ${more}\n    runtime: { sandbox: true }\n`;

function home(connectors: string, policy?: string): string {
  const files = policy === undefined ? demo : { ...demo, "config/policy.yml": policy };
  return makeHome(`connectors:\n${connectors}`, files);
}

const load = (folder: string) => loadConfig(folder, { env: {} });

describe("a sandboxed connector", () => {
  test("starts with what it is granted, in one spelling", async () => {
    const folder = home(
      sandboxed("a"),
      "connectors:\n  a:\n    network: [IRC.Example.org.:6697, 'münchen.example:443', '[FD00:0::/8]:*']\n    listen: [8787, '[::]:80']\n    read: [data]\n",
    );
    mkdirSync(join(folder, "data"));
    const { connectors, problems, files } = await load(folder);
    expect(problems).toEqual([]);
    expect(connectors[0]?.grants).toEqual({
      network: ["irc.example.org:6697", "xn--mnchen-3ya.example:443", "[fd00::/8]:*"],
      targets: ["irc.example.org:6697"],
      listen: [], // granted, but nothing that its manifest listens on
      read: [join(folder, "data")],
      write: [],
    });
    expect(files).toContain(join(folder, "config/policy.yml"));
  });

  test("does not start without what it needs, and the message holds what to add, ready to copy", async () => {
    const folder = home(
      sandboxed("a") + sandboxed("b"),
      "connectors:\n  a:\n    network: ['*.example.com:443']\n",
    );
    const { connectors, invalid, problems } = await load(folder);
    expect(connectors).toEqual([]);
    expect(invalid).toMatchObject([
      { name: "a", revoked: true },
      { name: "b", revoked: true },
    ]);
    expect(problems[0]).toMatchObject({ file: "connectors.yml", line: 5, connector: "a" });
    expect(problems[0]?.message).toBe(
      "it runs in the sandbox and needs what is not granted: network irc.example.org:6697",
    );
    expect(problems[0]?.hint).toBe(
      'Let config/policy.yml say:\nconnectors:\n  a:\n    network: ["*.example.com:443", "irc.example.org:6697"]',
    );
  });

  test.each([
    ["irc", "server: irc.example.org\n    nick: bot", { network: ["irc.example.org:6697"] }],
    ["irc", "server: IRC.example.org\n    tls: false\n    nick: bot", { network: ["irc.example.org:6667"] }],
    ["irc", "server: '::1'\n    port: 7000\n    nick: bot", { network: ["[::1]:7000"] }],
    ["irc", "server: localhost\n    port: 7000\n    nick: bot", { network: ["127.0.0.1:7000"] }],
    ["webhook", "port: 8787", { listen: ["127.0.0.1:8787"] }],
    [
      "webhook",
      "port: 80\n    host: 0.0.0.0\n    allow_unverified: true\n    url: https://Hooks.example.org/secret-token",
      { listen: ["0.0.0.0:80"], network: ["hooks.example.org:443"] },
    ],
    [
      "webhook",
      "port: 80\n    url: http://[::1]:8080/x",
      { listen: ["127.0.0.1:80"], network: ["[::1]:8080"] },
    ],
    ["exec", "command: [python3, -u, ./bot.py, --fast]", { read: ["HOME/bot.py"] }],
    ["exec", "command: [./bot.py]\n    cwd: sub", { read: ["HOME/sub", "HOME/sub/bot.py"] }],
    ["exec", "command: [bash, -c, 'echo hi']", {}],
    ["exec", "command: [/usr/bin/python3]", {}],
    ["folder", "path: drops", { write: ["HOME/drops"] }],
    ["folder", "path: drops\n    after: keep", { read: ["HOME/drops"] }],
    ["schedule", "jobs: [{ name: a, cron: '@daily' }]", {}],
  ])("of type %s with %j needs %j, and the advice is enough", async (type, keys, needs) => {
    const entry = `  - name: a\n    type: ${type}\n    ${keys}\n    runtime: { sandbox: true }\n`;
    const folder = makeHome(`connectors:\n${entry}`, { "bot.py": "", "sub/bot.py": "", "drops/x": "" });
    const { invalid, problems } = await load(folder);
    const wanted = Object.fromEntries(
      Object.entries(needs).map(([key, list]) => [key, list.map((one) => one.replace("HOME", folder))]),
    );
    const [, advice = "connectors: {}"] = problems[0]?.hint?.split(/say:\n/) ?? [];
    const lines = Object.entries(wanted).map(
      ([key, list]) => `    ${key}: ${JSON.stringify(list).replaceAll('","', '", "')}`,
    );
    // In the order of the policy's keys, not of the table above.
    expect(advice.split("\n").slice(2).sort()).toEqual(lines.sort());
    expect(invalid).toHaveLength(lines.length === 0 ? 0 : 1);
    mkdirSync(join(folder, "config"), { recursive: true });
    writeFileSync(join(folder, "config/policy.yml"), `${advice}\n`);
    expect(formatProblems((await load(folder)).problems)).toBe("");
    expect(JSON.stringify(problems)).not.toContain("secret-token");
  });

  test.each([
    ["cli", "", "the type cli cannot run in the sandbox: it prints where the bus runs"],
    ["webhook", "port: 0", '"127.0.0.1:0": a port is a number from 1 to 65535'],
    [
      "webhook",
      "port: 80\n    host: 192.0.2.1\n    allow_unverified: true",
      "no address that a sandboxed connector can listen on",
    ],
  ])("of type %s with %j can never start, and the message says why", async (type, keys, message) => {
    const folder = makeHome(
      `connectors:\n  - name: a\n    type: ${type}\n    ${keys}\n    runtime: { sandbox: true }\n`,
    );
    const { invalid, problems } = await load(folder);
    expect([invalid.length, problems.length]).toEqual([1, 1]);
    expect(problems[0]?.message).toContain(message);
    expect(problems[0]?.hint).toBeDefined();
  });

  test.each(["127.0.0.1", "10.1.2.3", "169.254.169.254", "localhost"])(
    "that needs %s is not served by a wildcard",
    async (server) => {
      const folder = home(sandboxed("a", `server: ${server}`), "connectors: { a: { network: ['*:*'] } }");
      const { problems } = await load(folder);
      expect(problems[0]?.hint).toMatch(/network: \["\*:\*", "[\d.]+:6697"\]/);
    },
  );

  test("is restarted by a change of its own grants, and by nobody else's", async () => {
    const connectors =
      sandboxed("a") + sandboxed("b") + "  - name: c\n    type: demo\n    server: x.example\n";
    const grant = (more: string): string =>
      `connectors:\n  a: { network: [irc.example.org:6697${more}] }\n  b: { network: [irc.example.org:6697] }\n  c: { network: [a.example:1${more}] }\n`;
    const folder = home(connectors, grant(""));
    const before = (await load(folder)).connectors;
    writeFileSync(join(folder, "config/policy.yml"), grant(", other.example:443"));
    const after = (await load(folder)).connectors;
    const changed = after.filter(({ fingerprint }, at) => fingerprint !== before[at]?.fingerprint);
    expect(changed.map(({ name }) => name)).toEqual(["a"]);
    expect(after[2]?.grants).toEqual(noGrants);
  });
});

describe("a policy", () => {
  test("that is absent or empty grants nothing and is no mistake", async () => {
    const plain = "  - name: c\n    type: demo\n    server: x.example\n";
    for (const policy of [
      undefined,
      "",
      "# nothing\n",
      "connectors:\n",
      "connectors: {}\n",
      "connectors: { c: }\n",
    ]) {
      const { problems, connectors } = await load(home(plain, policy));
      expect([problems, connectors.length]).toEqual([[], 1]);
    }
  });

  test("tells all its mistakes at once, each with its place and what was meant", async () => {
    const policy = [
      "connectors:",
      "  a:",
      "    network: [irc.example.org, 2130706433:80, '*.10.0.0.1:80', 192.168.1.5/16:80]",
      "    listen: [70000]",
      "    read: [nowhere]",
      "  b:",
      "    netwrok: [a.example:1]",
      "  d: [a.example:1]",
      "",
    ].join("\n");
    const { problems, connectors, invalid } = await load(
      home(sandboxed("a") + sandboxed("b") + sandboxed("d"), policy),
    );
    const briefs = problems.map(
      ({ line, column, message, hint }) => `${line}:${column} ${message} | ${hint}`,
    );
    expect(problems.every(({ file }) => file === "config/policy.yml")).toBe(true);
    expect(briefs).toEqual([
      expect.stringMatching(
        /^3:15 .*"irc\.example\.org" is not host:port \| Write e\.g\. irc\.example\.org:6697/,
      ),
      expect.stringMatching(
        /^3:32 .*"2130706433" is no host \| Write an IPv4 address as four decimal numbers/,
      ),
      expect.stringMatching(/^3:47 .*is no host \| Behind \*\. stands a name/),
      expect.stringMatching(/^3:64 .*"192\.168\.1\.5\/16" is no host \| It has bits set beyond the first 16/),
      expect.stringMatching(/^4:14 .*a port is a number from 1 to 65535/),
      expect.stringMatching(/^5:12 .*there is no .*nowhere \| Create it/),
      expect.stringMatching(/^7:5 unknown key `netwrok` in `connectors\.b` \| did you mean `network`\?$/),
      expect.stringMatching(/^8:6 `d` is a list, expected a group of network, listen, read and write/),
    ]);
    expect([connectors.length, invalid.map(({ name }) => name)]).toEqual([0, ["a", "b", "d"]]);
    expect(invalid.some(({ revoked }) => revoked)).toBe(false); // a typing error is no outage
  });

  test.each([
    ["connectors:\n  a: {network: [x:1]\n", 3],
    ["connectors:\n  a:\n    network: [*.example.org:443]\n", 3],
    ["conectors: {}\n", 1],
    ["- a\n", 1],
    ["connectors: [a]\n", 1],
    ["connectors: {}\nmore: 1\n", 2],
  ])("that is %j as a whole stops only those that need it", async (policy, line) => {
    const plain = "  - name: c\n    type: demo\n    server: x.example\n";
    const { problems, connectors, invalid, unusable } = await load(home(sandboxed("a") + plain, policy));
    expect(invalid[0]?.revoked).toBeUndefined(); // what runs goes on: a typing error is no outage
    expect(problems[0]).toMatchObject({ file: "config/policy.yml", line });
    expect([connectors.map(({ name }) => name), invalid.map(({ name }) => name), unusable]).toEqual([
      ["c"],
      ["a"],
      false,
    ]);
  });

  test("that names who is not in the sandbox, or nobody, is doubted and stops nothing", async () => {
    const plain = "  - name: irc-main\n    type: demo\n    server: x.example\n";
    const folder = home(
      plain,
      "connectors:\n  irc-mian: { network: [a.example:1] }\n  irc-main: { network: [a.example:1] }\n",
    );
    const { warnings, problems, connectors } = await load(folder);
    expect([problems, connectors.length]).toEqual([[], 1]);
    expect(warnings).toMatchObject([
      { line: 2, message: "no connector is called `irc-mian`", hint: "did you mean `irc-main`?" },
      { line: 3, message: expect.stringContaining("`irc-main` does not run in the sandbox") },
    ]);
  });

  test("that holds nobody is a warning of `spoolway check`, which is content all the same", async () => {
    const plain = "  - name: c\n    type: demo\n    server: x.example\n";
    const folder = home(plain, "connectors: { c: { network: [a.example:1] } }\n");
    const run = async (json: boolean): Promise<[number, string]> => {
      const out = new PassThrough();
      const code = await check({ home: folder, json, color: false, out, env: {} });
      return [code, await text(out.end())];
    };
    const [code, shown] = await run(false);
    expect(code).toBe(0);
    expect(shown).toContain("config/policy.yml:1:15  warning  `c` does not run in the sandbox");
    expect(shown).toContain("runtime: { sandbox: true }");
    expect(JSON.parse((await run(true))[1])).toMatchObject({ ok: true, warnings: [{ line: 1 }] });
  });

  test("with mistakes under a connector that runs unconfined tells them and lets it run", async () => {
    const plain = "  - name: c\n    type: demo\n    server: x.example\n";
    const { problems, connectors } = await load(
      home(plain, "connectors: { c: { network: [nonsense] }, d: { network: [x] } }"),
    );
    expect(problems).toHaveLength(2);
    expect(connectors).toHaveLength(1);
  });

  test.each(["spool", "spool/state/b", "config", "connectors.yml", ".env", ".", "..", "/", "link"])(
    "cannot show %s of the bus",
    async (path) => {
      const folder = home(
        sandboxed("a"),
        `connectors: { a: { network: [irc.example.org:6697], read: ["${path}"] } }`,
      );
      mkdirSync(join(folder, "spool/state/b"), { recursive: true });
      writeFileSync(join(folder, ".env"), "");
      symlinkSync(join(folder, "spool"), join(folder, "link"));
      const { problems, connectors } = await load(folder);
      expect(connectors).toEqual([]);
      expect(problems[0]?.message).toMatch(/would show (spool|config|connectors\.yml|\.env) of this bus/);
    },
  );

  test("of any content is read without a throw, and grants only to names in it", async () => {
    const words = fc.constantFrom(
      "connectors",
      "a",
      ":",
      "\n  ",
      " ",
      "network",
      "[",
      "]",
      "*:*",
      "{",
      "}",
      "'",
      "8",
      "- ",
      "&x",
      "*x",
      "\n",
      "~",
      "../..",
    );
    const folder = home(sandboxed("a"), "");
    await fc.assert(
      fc.asyncProperty(fc.array(words, { maxLength: 30 }), async (parts) => {
        writeFileSync(join(folder, "config/policy.yml"), parts.join(""));
        const policy = await readPolicy(folder);
        const { network } = policy.entryOf("a");
        expect(network.length === 0 || parts.includes("*:*")).toBe(true);
        expect([policy.problems, policy.problemsOf("a", true)].flat().every(({ line }) => line > 0)).toBe(
          true,
        );
      }),
      { numRuns: 300 },
    );
  });
});

test("a need is filled from the configuration", () => {
  const config = {
    host: "::1",
    port: 1,
    tls: true,
    list: [{ url: "http://a" }, { url: "http://b" }, {}],
    deep: { on: "x" },
  };
  expect(filled("{host}:{port}", config)).toEqual(["[::1]:1"]);
  expect(filled("{host}:{missing}", config)).toEqual([]);
  expect(filled("{list.url}", config)).toEqual(["http://a", "http://b"]);
  expect(filled("{deep.on}.example:{port}", config)).toEqual(["x.example:1"]);
  expect(filled({ need: "a:1", when: { tls: true, missing: null } }, config)).toEqual(["a:1"]);
  expect(filled({ need: "a:1", when: { tls: false } }, config)).toEqual([]);
  expect(filled("{constructor}:{__proto__}", config)).toEqual([]);
});
