// The named hostile drops: each entry that somebody may put into an outbox, how it is made, and how it has to end.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { createServer, type Server } from "node:net";
import {
  linkSync,
  mkdirSync,
  renameSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";

export interface Place {
  /** outbox/<name> */
  outbox: string;
  /** A folder outside with `file` in it, which nobody may read. */
  outside: string;
}

export interface Case {
  what: string;
  /** The file name, where it is not made of `what`. */
  name?: string | Buffer;
  /** Its content … */
  bytes?: string | Buffer;
  /** … or how it comes to be. */
  make?: (path: string, place: Place) => void;
  /** "sent", or the code of the dead letter. */
  ends: string;
  /** Only root can make it. */
  needsRoot?: boolean;
}

const good = (text: string, more: object = {}): string =>
  JSON.stringify({ conversation_id: `c-${text}`, text, ...more });

/** A valid message under a name that is hard to handle. */
const named = (what: string, name: string | Buffer): Case => ({
  what,
  name,
  bytes: good(what),
  ends: "sent",
});
const content = (what: string, bytes: string | Buffer, ends: string): Case => ({ what, bytes, ends });
/** Made where nobody looks, and then renamed: the bus may take what has a drop's name at once. */
const renamed = (what: string, ends: string, make: (path: string) => void): Case => ({
  what,
  make: (path) => {
    make(`${path}.tmp`);
    renameSync(`${path}.tmp`, path);
  },
  ends,
});
const dated = (what: string, seconds: number): Case =>
  renamed(what, "sent", (path) => {
    writeFileSync(path, good(what));
    utimesSync(path, seconds, seconds);
  });
const attached = (
  what: string,
  path: string | ((place: Place) => string),
  ends: string,
  make?: (place: Place) => void,
): Case => ({
  what,
  make: (file, place) => {
    make?.(place);
    const name = typeof path === "string" ? path : path(place);
    writeFileSync(file, good(what, { attachments: [{ path: name }] }));
  },
  ends,
});

const names: Case[] = [
  named("newline", "new\nline.json"),
  named("only a newline", "\n.json"),
  named("escape sequences", "\x1b]0;owned\x07\x1b[2J\x1b[31mred.json"),
  named("reversed", "\u202enosj.json"),
  named("255 bytes", `${"n".repeat(250)}.json`),
  named("255 bytes of long letters", `${"€".repeat(83)}-.json`),
  named("leading dash", "-rf.json"),
  named("a command", "$(touch pwned);`id`|&'\".json"),
  named("spaces", " \t .json"),
  named("composed", "\u00e9.json"),
  named("decomposed", "e\u0301.json"),
  named("lower case", "twin.json"),
  named("upper case", "TWIN.json"),
  named("like a claim", "m~1.json"),
  named("like an entry", "x.entry.json"),
  named("bytes that are no UTF-8", Buffer.from("gr\xf6\xdfe.json", "latin1")),
  named("bytes that are nothing", Buffer.from("\xff\xfe\x80.json", "latin1")),
  named("255 bytes that are no UTF-8", Buffer.concat([Buffer.alloc(250, 0xe4), Buffer.from(".json")])),
  {
    what: "bad and badly named",
    name: "\x1b[2J\nbad\u202e.json",
    bytes: "\x1b]0;owned\x07{",
    ends: "invalid_json",
  },
];

const texts: Case[] = [
  content("BOM", `\ufeff${good("BOM")}`, "sent"),
  content("UTF-16 LE", Buffer.from(`\ufeff${good("x")}`, "utf16le"), "invalid_encoding"),
  content("UTF-16 BE", Buffer.from(`\ufeff${good("x")}`, "utf16le").swap16(), "invalid_encoding"),
  content("invalid UTF-8", Buffer.from(good("ä"), "latin1"), "invalid_encoding"),
  content("NUL", good("x").replace("x", "\0"), "invalid_encoding"),
  content("100,000 levels", `{"conversation_id":"c","meta":${"[".repeat(100_000)}`, "too_deep"),
  content("100,000 levels of objects", '{"meta":'.repeat(100_000), "too_deep"),
  content("__proto__", '{"conversation_id":"c","meta":{"__proto__":{"isAdmin":true}}}', "forbidden_key"),
  content(
    "constructor",
    '{"conversation_id":"c","meta":{"constructor":{"prototype":{}},"toString":1}}',
    "sent",
  ),
  content("duplicate keys", '{"conversation_id":"c","text":"a","text":"b"}', "duplicate_key"),
  content("id beyond 2^53", '{"conversation_id":12345678901234567890,"text":"big"}', "sent"),
  content("id with a fraction", '{"conversation_id":1.10,"text":"x"}', "invalid_message"),
  content("id beyond all numbers", '{"id":1e400,"conversation_id":"c"}', "sent"),
  content("number beyond all numbers", '{"conversation_id":"c","meta":{"n":1e400}}', "sent"),
  content(
    "a time that never comes",
    good("x", { not_before: "9999-12-31T23:59:59-23:59" }),
    "invalid_message",
  ),
  content("a time that is none", good("x", { expires_at: "2026-19-39T29:69:69Z" }), "invalid_message"),
  largest("the largest message at its second try", "retry", "ok"),
  largest("the largest message refused", "reject"),
  content("empty", "", "invalid_json"),
  content("only spaces", " ".repeat(1000), "invalid_json"),
  content("a list", "[]", "invalid_json"),
  content("a number", "12", "invalid_json"),
  content("two objects", good("x") + good("y"), "invalid_json"),
  content("half an object", good("x").slice(0, -3), "invalid_json"),
  content("10 MB", good("x".repeat(10_000_000)), "message_too_large"),
  content(
    "100,000 attachments",
    good("x", { attachments: Array(100_000).fill({ path: "a" }) }),
    "invalid_message",
  ),
  content("a forged record", JSON.stringify({ ...forged(), attempts: 1e21 }), "invalid_message"),
  content(
    "a forged record with a foreign id",
    JSON.stringify({ ...forged(), id: "../../x" }),
    "invalid_message",
  ),
];

/** As many levels and bytes as a message may have, which what is written about it must not find too many. */
function largest(text: string, ...script: string[]): Case {
  const levels: unknown = JSON.parse(`${"[".repeat(62)}${"]".repeat(62)}`);
  const small = good(text, { meta: { script, levels }, subject: "" });
  const bytes = small.replace('"subject":""', `"subject":"${"x".repeat(4 * 2 ** 20 - small.length)}"`);
  return content(text, bytes, script.includes("reject") ? "rejected" : "sent");
}

function forged(): object {
  const letter = { record: "dead_letter", version: 1, id: "f", connector: "one", code: "x", error: "y" };
  return { ...letter, failed_at: "2026-01-01T00:00:00Z", attempts: 0, message: { conversation_id: "c" } };
}

const run = (command: string, ...args: string[]): void => void execFileSync(command, args);
/** Ends with the test's process; the files stay. */
const servers: Server[] = [];

/** Closes the sockets that were made: their files go with them. */
export function closeSockets(): void {
  for (const server of servers.splice(0)) server.close();
}

const noFile = (what: string, make: Case["make"] & object): Case => ({ what, make, ends: "not_a_file" });
const device = (what: string, ...kind: string[]): Case => ({
  ...noFile(what, (path) => run("mknod", path, ...kind)),
  needsRoot: true,
});

const entries: Case[] = [
  noFile("pipe", (path) => run("mkfifo", path)),
  noFile("socket", (path) => void servers.push(createServer().listen(path))),
  device("device that never ends", "c", "1", "5"),
  device("block device", "b", "7", "200"),
  noFile("link out", (path, { outside }) => symlinkSync(join(outside, "file"), path)),
  noFile("relative link out", (path) => symlinkSync("../../../outside/file", path)),
  noFile("link to a pipe", (path, { outside }) => symlinkSync(join(outside, "pipe"), path)),
  noFile("link in", (path) => symlinkSync("beside.txt", path)),
  noFile("dangling link", (path) => symlinkSync("nowhere", path)),
  noFile("looping link", (path) => symlinkSync(path, path)),
  noFile("link to the device that never ends", (path) => symlinkSync("/dev/zero", path)),
  noFile("hard link", (path, { outside }) => linkSync(join(outside, "file"), path)),
  noFile("empty folder", (path) => void mkdirSync(path)),
  noFile("closed folder", (path) => void mkdirSync(path, { mode: 0 })),
  renamed("full folder", "not_a_file", (path) => {
    mkdirSync(path);
    for (let n = 0; n < 100; n += 1) writeFileSync(join(path, `${n}.json`), good("inside"));
  }),
  renamed("sparse terabyte", "message_too_large", (path) => sparse(path)),
  renamed("sparse, of the largest size", "invalid_encoding", (path) => sparse(path, 4 * 2 ** 20)),
  dated("1970", 0),
  dated("before 1970", -5),
  dated("2038", 2 ** 31),
  dated("2100", 4_102_444_800),
  dated("the end of the disk's time", 15_032_385_535),
];

function sparse(path: string, bytes = 2 ** 40): void {
  writeFileSync(path, "");
  truncateSync(path, bytes);
}

const deep = `deep/${"d/".repeat(200)}file.txt`;

const attachments: Case[] = [
  attached("..", "../../../outside/file", "attachment_outside"),
  attached(".. behind a folder", "folder/../../../../outside/file", "attachment_outside"),
  attached("absolute", ({ outside }) => join(outside, "file"), "attachment_outside"),
  attached("absolute and inside", ({ outbox }) => join(outbox, "beside.txt"), "sent"),
  attached(
    "absolute, in and out again",
    ({ outbox }) => `${outbox}/../../../outside/file`,
    "attachment_outside",
  ),
  attached("linked", "linked.txt", "attachment_outside", ({ outbox, outside }) =>
    symlinkSync(join(outside, "file"), join(outbox, "linked.txt")),
  ),
  attached("linked parent", "parent/file", "attachment_outside", ({ outbox, outside }) =>
    symlinkSync(outside, join(outbox, "parent")),
  ),
  attached("linked grandparent", "grand/outside/file", "attachment_outside", ({ outbox, outside }) =>
    symlinkSync(dirname(outside), join(outbox, "grand")),
  ),
  attached("hard linked", "hard.txt", "attachment_outside", ({ outbox, outside }) =>
    linkSync(join(outside, "file"), join(outbox, "hard.txt")),
  ),
  attached("a pipe beside", "pipe", "attachment_missing", ({ outbox }) =>
    run("mkfifo", join(outbox, "pipe")),
  ),
  attached(
    "a socket beside",
    "sock",
    "attachment_missing",
    ({ outbox }) => void servers.push(createServer().listen(join(outbox, "sock"))),
  ),
  attached(
    "a folder",
    "folder",
    "attachment_missing",
    ({ outbox }) => void mkdirSync(join(outbox, "folder")),
  ),
  attached("/proc", "/proc/self/environ", "attachment_outside"),
  attached("a descriptor", "/dev/fd/0", "attachment_outside"),
  attached("media and out", "media/../../outside/file", "attachment_outside"),
  attached("media that is not there", `media/${"0".repeat(64)}`, "attachment_missing"),
  attached("linked media", `media/${"1".repeat(64)}`, "attachment_outside", ({ outbox, outside }) =>
    symlinkSync(join(outside, "file"), join(outbox, "../../media", "1".repeat(64))),
  ),
  attached("a NUL in the path", "beside.txt\0.png", "attachment_outside"),
  attached("a long name", "n".repeat(300), "attachment_missing"),
  attached("a deep path", deep, "sent", ({ outbox }) => {
    mkdirSync(dirname(join(outbox, deep)), { recursive: true });
    writeFileSync(join(outbox, deep), "deep down");
  }),
  attached("a path of 100,000 parts", "p/".repeat(100_000), "attachment_outside"),
  attached("a path of 100,000 parts and a file", `${"p/".repeat(100_000)}x`, "attachment_missing"),
  attached("a sparse terabyte beside", "huge.bin", "too_large", ({ outbox }) =>
    sparse(join(outbox, "huge.bin")),
  ),
  {
    what: "100 attachments",
    bytes: good("100 attachments", { attachments: Array(100).fill({ path: "beside.txt" }) }),
    ends: "sent",
  },
];

export const cases: Case[] = [...names, ...texts, ...entries, ...attachments];

/** Puts the case into the outbox; returns the name that its receipt or dead letter has to tell. */
export function put(
  place: Place,
  { what, name = `is ${what.replaceAll("/", "_")}.json`, bytes, make }: Case,
): string {
  const path = Buffer.concat([Buffer.from(`${place.outbox}/`), Buffer.from(name)]);
  if (bytes !== undefined) writeFileSync(path, bytes);
  else make?.(path.toString(), place);
  if (typeof name === "string") return name;
  const legible = name.toString("latin1");
  return Buffer.byteLength(legible) <= 255
    ? legible
    : `${createHash("sha256").update(name).digest("hex")}.json`;
}
