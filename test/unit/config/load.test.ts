// connectors.yml that is right, and mistakes in its entries: all at once, each in its place, none disturbing another entry.
import { describe, expect, test } from "vitest";
import { briefs, entry, load } from "./home.ts";

describe("a valid file", () => {
  test("gives each connector its keys, the defaults of its manifest and its settings", async () => {
    const loaded = await load(
      entry("channels: ['#dev']", "runtime: { rate: 5/s, retry: { attempts: 3 }, on_uncertain: hold }"),
    );
    expect(loaded.problems).toEqual([]);
    expect(loaded.unusable).toBe(false);
    const [one] = loaded.connectors;
    expect(one).toMatchObject({ name: "one", type: "demo", loader: "node", secrets: [] });
    expect(one?.config).toEqual({
      server: "irc.example.org",
      channels: ["#dev"],
      port: 6697,
      tls: true,
      scheme: "none",
    });
    expect(one?.settings).toMatchObject({
      rate: { count: 5, perMs: 1000 },
      retryAttempts: 3,
      retryBaseMs: 1000,
      onUncertain: "hold",
      enabled: true,
    });
    expect(one?.entry).toMatch(/connectors\/demo\/connector\.ts$/);
    expect(loaded.supervisor.watchdogMs).toBe(10_000);
  });

  test("is plain JSON and frozen at every level", async () => {
    const { connectors } = await load(entry("channels: ['#dev']"));
    const one = connectors[0];
    expect(JSON.parse(JSON.stringify(one))).toEqual(one);
    expect(
      Object.isFrozen(one) && Object.isFrozen(one?.config) && Object.isFrozen(one?.config.channels),
    ).toBe(true);
  });

  test("may have no connectors at all", async () => {
    expect(await load("connectors: []\n")).toMatchObject({
      connectors: [],
      invalid: [],
      problems: [],
      unusable: false,
    });
  });

  test("may have a BOM and CRLF line ends, and places stay right", async () => {
    const text = `\uFEFF${entry("prot: 1")}`.replaceAll("\n", "\r\n");
    expect(briefs(await load(text))).toEqual(["5:5 unknown key `prot` [did you mean `port`?]"]);
    expect((await load(`\uFEFFconnectors: []\r\n`)).problems).toEqual([]);
    expect(briefs(await load(`\uFEFFconectors: []\r\n`))).toEqual([
      "1:1 unknown key `conectors` [did you mean `connectors`?]",
    ]);
  });

  test("may use anchors and merge keys; what stands in the entry wins", async () => {
    const text = `connectors:
  - &base
    name: one
    type: demo
    server: a.example.org
    account: &account { user: ada }
  - <<: *base
    name: two
    account: *account
    port: 7000
`;
    const { connectors, problems } = await load(text);
    expect(problems).toEqual([]);
    expect(connectors.map(({ name, config }) => [name, config.server, config.port, config.account])).toEqual([
      ["one", "a.example.org", 6697, { user: "ada" }],
      ["two", "a.example.org", 7000, { user: "ada" }],
    ]);
  });

  test("lists every file whose change matters", async () => {
    const loaded = await load(entry("token: ${file:token}"), { token: "long-enough-token" });
    for (const end of [
      "connectors.yml",
      ".env",
      "config/defaults.yml",
      "token",
      "connectors/demo/manifest.json",
    ]) {
      expect(loaded.files.some((file) => file.endsWith(`/${end}`))).toBe(true);
    }
  });
});

describe("the fingerprint", () => {
  const of = async (text: string, files = {}): Promise<string | undefined> =>
    (await load(text, files)).connectors[0]?.fingerprint;
  // The home's path is part of the entry path, so both texts are loaded in one home.
  const pair = async (a: string, b: string): Promise<[string | undefined, string | undefined]> => {
    const both = `connectors:\n${a.replace("connectors:\n", "")}${b.replace("connectors:\n", "").replace("name: one", "name: two")}`;
    const { connectors, problems } = await load(both);
    expect(problems).toEqual([]);
    return [connectors[0]?.fingerprint, connectors[1]?.fingerprint];
  };

  test("stays when only order, spacing or comments change", async () => {
    const [a, b] = await pair(
      entry("port: 7000", "tls: false", "account: {user: a, password: bbbb}"),
      entry("tls:   false  # why not", "account:", "  password: bbbb", "  user: a", "", "port: 7000"),
    );
    expect(a).toBe(b);
  });

  test("changes with a key, a setting, and the manifest", async () => {
    const [a, b] = await pair(entry("port: 7000"), entry("port: 7001"));
    expect(a).not.toBe(b);
    const [c, d] = await pair(entry(), entry("runtime: { rate: 1/s }"));
    expect(c).not.toBe(d);
    expect(await of(entry())).toBeDefined();
  });
});

describe("mistakes in entries", () => {
  test("are all reported at once, and disable only their own entry", async () => {
    const text = `connectors:
  - name: bad
    type: demo
    server: 5
    chanels: ["#a"]
    port: 70000
  - name: good
    type: demo
    server: a.example.org
  - name: worse
    type: dmo
`;
    const loaded = await load(text);
    expect(loaded.connectors.map(({ name }) => name)).toEqual(["good"]);
    expect(loaded.invalid.map(({ name, type, problems }) => [name, type, problems.length])).toEqual([
      ["bad", "demo", 3],
      ["worse", "dmo", 1],
    ]);
    expect(loaded.unusable).toBe(false);
    expect(briefs(loaded)).toEqual([
      '4:13 `server` is 5, expected text [Put it in quotes: "5"]',
      "5:5 unknown key `chanels` [did you mean `channels`?]",
      "6:11 `port` is 70000, expected at most 65535",
      '11:11 unknown type "dmo" [did you mean `demo`? To see them all: spoolway types]',
    ]);
    expect(loaded.problems.map(({ connector }) => connector)).toEqual(["bad", "bad", "bad", "worse"]);
  });

  test("a name that is taken: both places are named, the second entry is invalid under a name of its own", async () => {
    const loaded = await load(`${entry()}${entry().replace("connectors:\n", "")}`);
    expect(loaded.connectors.map(({ name }) => name)).toEqual(["one"]);
    expect(loaded.invalid.map(({ name }) => name)).toEqual(["one#2"]);
    expect(briefs(loaded)).toEqual([
      "5:11 the name `one` in line 5 is taken by the entry in line 2 [Give each connector a name of its own. The first one is kept.]",
    ]);
  });

  test.each([
    ["../x", "Did you mean `x`?"],
    ["Web", "Did you mean `web`?"],
    ["my bot", "Did you mean `my-bot`?"],
    ["__proto__", "Did you mean `proto`?"],
    ["a/b", "Did you mean `a-b`?"],
    ["a".repeat(64), "Did you mean `aaa"],
  ])("a name like %s is refused, and never used as a name", async (name, hint) => {
    const loaded = await load(entry().replace("name: one", `name: ${JSON.stringify(name)}`));
    expect(loaded.invalid.map((invalid) => invalid.name)).toEqual(["#1"]);
    const [problem] = loaded.problems;
    expect(problem).toMatchObject({ line: 2, column: 11, connector: "#1" });
    expect(problem?.message).toContain("which cannot name a folder");
    expect(problem?.hint).toContain(hint);
  });

  test("constructor is a name like any other", async () => {
    const { connectors, problems } = await load(entry().replace("name: one", "name: constructor"));
    expect(problems).toEqual([]);
    expect(connectors[0]?.name).toBe("constructor");
  });

  test.each([
    ["constructor: 1", "5:5 unknown key `constructor`"],
    ["toString: 1", "5:5 unknown key `toString`"],
    ["__proto__: { server: x }", "5:5 the key `__proto__` is not allowed"],
    ["any: { a: [ { __proto__: { polluted: 1 } } ] }", "5:19 the key `__proto__` is not allowed"],
  ])("the key of %s is refused and pollutes nothing", async (line, message) => {
    const loaded = await load(entry(line));
    expect(briefs(loaded)).toEqual([expect.stringContaining(message)]);
    expect(loaded.connectors).toEqual([]);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
    expect(({} as Record<string, unknown>).server).toBeUndefined();
  });

  test("a schema that requires `constructor` misses it where it is not written", async () => {
    const manifest = {
      type: "odd",
      title: "Odd",
      config: { required: ["constructor"], properties: { constructor: { type: "string" } } },
    };
    const files = {
      "connectors/odd/manifest.json": JSON.stringify(manifest),
      "connectors/odd/connector.js": "",
    };
    const loaded = await load("connectors:\n  - name: a\n    type: odd\n", files);
    expect(briefs(loaded)).toEqual(["2:5 `constructor` is missing [Add: constructor: …]"]);
  });

  test.each([
    ["- just text", "2:5 entry 1 is a text (not shown), expected a group"],
    ["-", "2:4 entry 1 is empty, expected a group"],
    ["- [a, b]", "2:5 entry 1 is a list, expected a group"],
  ])("an entry that is no group: %s", async (line, message) => {
    const [problem, ...more] = briefs(await load(`connectors:\n  ${line}\n`));
    expect(problem).toContain(message);
    expect(more).toEqual([]);
  });

  test("missing and misspelt name and type, also without a manifest to tell the other keys", async () => {
    expect(briefs(await load("connectors:\n  - type: demo\n    server: a\n"))).toEqual([
      "2:5 `name` is missing [Add: name: …]",
    ]);
    expect(briefs(await load("connectors:\n  - nmae: a\n    type: demo\n    server: a\n"))).toEqual([
      "2:5 unknown key `nmae` [did you mean `name`?]",
    ]);
    expect(briefs(await load("connectors:\n  - name: a\n    tpye: demo\n"))).toEqual([
      "3:5 unknown key `tpye` [did you mean `type`?]",
    ]);
    expect(briefs(await load("connectors:\n  - name: 12\n    type: demo\n    server: a\n"))).toEqual([
      '2:11 `name` is 12, expected text [Put it in quotes: "12"]',
    ]);
    expect(briefs(await load("connectors:\n  - name:\n    type: demo\n    server: a\n"))).toEqual([
      "2:5 `name` is empty, expected text [Write: name: …]",
    ]);
  });

  test("an unknown type without a near one lists the known ones", async () => {
    const [problem] = briefs(await load("connectors:\n  - name: a\n    type: constructor\n"));
    expect(problem).toMatch(
      /^3:11 unknown type "constructor" \[Known types: .*\bdemo\b.*To see them all: spoolway types\]$/,
    );
  });
});

describe("mistakes in values", () => {
  test.each([
    [
      "port: '8080'",
      '5:11 `port` is the text "8080", expected a whole number [did you mean `8080`, without quotes?]',
    ],
    ["port: 1.5", "5:11 `port` is 1.5, expected a whole number"],
    ["port: 0", "5:11 `port` is 0, expected at least 1"],
    ["port:", "5:5 `port` is empty, expected a whole number"],
    [
      "tls: no",
      '5:10 `tls` is the text "no", expected true or false [did you mean `false`? (In YAML 1.2 `no` is a text.)]',
    ],
    [
      "tls: On",
      '5:10 `tls` is the text "On", expected true or false [did you mean `true`? (In YAML 1.2 `on` is a text.)]',
    ],
    [
      "scheme: barer",
      '5:13 `scheme` is the text "barer", expected none, bearer or github [did you mean `bearer`?]',
    ],
    ["channels: '#a'", '5:15 `channels` is the text "#a", expected a list [Put it in brackets: [ … ]]'],
    [
      "channels: #a",
      "5:5 `channels` is empty, expected a list [A # begins a comment: put a text that starts with it in quotes.]",
    ],
    [
      "channels:\n      - #a",
      "6:9 `channels[0]` is empty, expected text [A # begins a comment: put a text that starts with it in quotes.]",
    ],
    ["channels: ['#a', b]", '5:22 `channels[1]` is the text "b", expected text like ^#'],
    ["account: { user: 5 }", '5:22 `account.user` is 5, expected text [Put it in quotes: "5"]'],
    ["account: { usr: a }", "5:16 unknown key `usr` in `account` [did you mean `user`?]"],
    ["account: {}", "5:14 `account.user` is missing [Add: user: …]"],
    ["url: nowhere", '5:10 `url` is the text "nowhere", expected the format uri'],
    ["listen: true", "5:13 `listen` is true, expected a whole number or text"],
    [
      "runtime: { concurrency: 0 }",
      "5:29 `runtime.concurrency` is 0, expected at least 1 [Conversations in flight at once.]",
    ],
    [
      "runtime: { retry: { atempts: 2 } }",
      "5:25 unknown key `atempts` in `runtime.retry` [did you mean `attempts`?]",
    ],
    [
      "runtime: { on_uncertain: hodl }",
      '5:30 `runtime.on_uncertain` is the text "hodl", expected resend or hold [did you mean `hold`?]',
    ],
    [
      "runtime: { rate: 0/s }",
      "5:22 `runtime.rate` is 0/s: nothing would ever be sent [Write at least 1/h.]",
    ],
    ["runtime: { sync_every: 60d }", "5:28 `runtime.sync_every` is 60d, expected at most 24d"],
    ["runtime: { sync_every: 0s }", "5:28 `runtime.sync_every` is 0s, expected at least 1ms"],
    [
      "runtime: { retry: { base: 2h } }",
      "5:23 `runtime.retry.base` (7200000 ms) is more than `max` (600000 ms) [Raise max or lower base.]",
    ],
    [
      "runtime: fast",
      '5:14 `runtime` is the text "fast", expected a group of keys [Write e.g. runtime: { rate: 5/s }]',
    ],
    [
      "any: 123456789012345678",
      "5:10 a number with too many digits: it would be changed [If it is text (an id, a phone number), put it in quotes.]",
    ],
    [
      "any: 0612345678",
      "5:10 a number that starts with 0 [If it is text (an id, a phone number), put it in quotes.]",
    ],
    ["any: .inf", "5:10 not a finite number [If it is text (an id, a phone number), put it in quotes.]"],
    ["port: 1\n    port: 2", "6:5 the key `port` is there twice, first in line 5 [Keep one of them.]"],
    [
      "any: !secret x",
      "5:18 a tag (!) that is not known [Remove it; if it is the beginning of a text, put that in quotes.]",
    ],
    [
      "any: *nothing",
      "5:10 an alias (*) of nothing that stands above it [If it is a text that begins with *, put it in quotes.]",
    ],
    ["any: &a [*a]", "5:14 an alias (*) of what it stands in [Write the value out.]"],
    ["any: [&base x, *bsae]", "5:20 *bsae refers to nothing [did you mean `*base`?]"],
    [
      "token: &secret",
      "5:5 `token` is empty, expected text [A & begins an anchor: put a text that starts with it in quotes.]",
    ],
    ["<<: 5", "5:9 `<<` needs a group of keys [Write <<: *anchor]"],
  ])("%s", async (line, problem) => {
    const loaded = await load(entry(line));
    expect(briefs(loaded)).toEqual([problem]);
    expect(loaded.connectors).toEqual([]);
    expect(loaded.unusable).toBe(false);
  });

  test("`no` and `on` stay texts where a text is wanted, also below %YAML 1.1", async () => {
    const { connectors } = await load(
      `%YAML 1.1\n---\n${entry("any: no", "channels: ['#on']").replace("irc.example.org", "on")}`,
    );
    expect(connectors[0]?.config).toMatchObject({ server: "on", any: "no" });
  });

  test("a value far below the limit of nesting is refused at its place", async () => {
    const [problem] = briefs(await load(entry(`any: ${"[".repeat(200)}${"]".repeat(200)}`)));
    expect(problem).toMatch(/^5:\d+ nested too deeply/);
  });
});

test("an alias bomb disables its own entry, quickly", async () => {
  const levels = Array.from({ length: 30 }, (_, i) => `      - &l${i + 1} [*l${i}, *l${i}, *l${i}, *l${i}]`);
  const text = `${entry("any:", "  - &l0 [x, x, x, x]")}${levels.join("\n")}\n${entry().replace("connectors:\n", "").replace("one", "two")}`;
  const started = performance.now();
  const loaded = await load(text);
  expect(performance.now() - started).toBeLessThan(5000);
  expect(loaded.connectors.map(({ name }) => name)).toEqual(["two"]);
  expect(briefs(loaded)).toEqual([
    expect.stringMatching(/^\d+:\d+ the aliases \(\*\) here stand for more than 10000 values/),
  ]);
});
