// What becomes of a file: an event, an attachment, or a refusal with its reason.
import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { SpoolwayError } from "../../../runtime/errors.ts";
import { waitFor } from "../../helpers/wait.ts";
import { at, home, put, reason, start } from "./session.ts";

describe("JSON", () => {
  it("is an event at once, with the folder as its conversation, and is moved to .done", async () => {
    const { ctx } = await start({ sender: "me", settle: "1h" });
    put("a.json", { text: "hello" });
    await waitFor(() => ctx.delivered.length === 1);
    expect(ctx.delivered[0]).toMatchObject({
      content: { text: "hello" },
      conversation: { id: "drop" },
      sender: { id: "me" },
      occurred_at: expect.stringMatching(/^\d{4}-/),
    });
    await waitFor(() => existsSync(at(".done/a.json")));
    expect(readdirSync(at("."))).toEqual([".done"]);
  });

  it("may say conversation, sender, kind and key itself; other keys are kept in raw", async () => {
    const { ctx } = await start();
    put("a.json", {
      text: "hi",
      conversation_id: 7,
      sender: "ada",
      kind: "item",
      key: ["k"],
      extra: { a: 1 },
    });
    await waitFor(() => ctx.delivered.length === 1);
    expect(ctx.delivered[0]).toMatchObject({
      conversation: { id: "7" },
      sender: { id: "ada" },
      kind: "item",
      key: ["k"],
      raw: { extra: { a: 1 } },
    });
  });

  it("of any other shape is kept as it is, in raw", async () => {
    const { ctx } = await start();
    put("a.json", { temperature: 21.5, id: 1 });
    put("b.json", [1, "two"]);
    put("c.json", "12");
    await waitFor(() => ctx.delivered.length === 3);
    expect(ctx.delivered.map(({ kind, raw }) => [kind, raw])).toEqual([
      ["event", { temperature: 21.5, id: 1 }],
      ["event", [1, "two"]],
      ["event", 12],
    ]);
    expect(ctx.texts()).toEqual([undefined, undefined, undefined]);
  });

  it("is waited for while it is being written", async () => {
    const { ctx } = await start({ settle: "600ms" });
    const path = put("slow.json", '{"text": ');
    for (const piece of ['"one', " two", ' three"']) {
      await delay(300);
      appendFileSync(path, piece);
    }
    await delay(300);
    expect(ctx.delivered).toEqual([]);
    appendFileSync(path, "}");
    await waitFor(() => ctx.delivered.length === 1);
    expect(ctx.texts()).toEqual(["one two three"]);
  });

  it("that never becomes whole, or is no event, lies in .failed with the reason", async () => {
    const { ctx } = await start();
    put("half.json", '{"text": "never en');
    put("empty.json", "");
    put("utf16.json", new Uint8Array([0xff, 0xfe, 0x7b, 0x00]));
    put("deep.json", "[".repeat(100_000));
    put("twice.json", '{"text": "a", "text": "b"}');
    put("bad.json", { text: "x", sender: { name: "ada" } });
    await waitFor(() => readdirSync(at(".failed")).length === 12);
    expect(reason("half.json")).toMatchObject({
      code: "invalid_json",
      hint: expect.stringContaining("UTF-8"),
    });
    expect(reason("empty.json").code).toBe("invalid_json");
    expect(reason("utf16.json").code).toBe("invalid_encoding");
    expect(reason("deep.json").code).toBe("too_deep");
    expect(reason("twice.json").code).toBe("duplicate_key");
    expect(reason("bad.json")).toMatchObject({
      code: "invalid_event",
      error: "sender must have required property 'id'",
    });
    expect(ctx.delivered).toEqual([]);
    expect(ctx.logged("file.refused")).toHaveLength(6);
  });

  it("above a megabyte is an attachment", async () => {
    const { ctx } = await start();
    put("big.json", JSON.stringify({ text: "x".repeat(2 << 20) }));
    await waitFor(() => ctx.delivered.length === 1);
    expect(ctx.delivered[0]?.files[0]).toMatchObject({ name: "big.json", media_type: "application/json" });
  });
});

describe("any other file", () => {
  it("is an attachment, byte for byte, once it has settled", async () => {
    const { ctx } = await start({ settle: "500ms", conversation_id: "scans" });
    const bytes = Buffer.from(Uint8Array.from({ length: 700_000 }, (_, n) => n % 251));
    const path = put("grün 🌱.pdf", bytes.subarray(0, 1000));
    for (let n = 1; n <= 4; n += 1) {
      await delay(250);
      appendFileSync(path, bytes.subarray(n * 1000, n * 1000 + 1000));
    }
    expect(ctx.delivered).toEqual([]);
    writeFileSync(path, bytes);
    await waitFor(() => ctx.delivered.length === 1);
    expect(ctx.delivered[0]).toMatchObject({
      conversation: { id: "scans" },
      raw: { path: "grün 🌱.pdf", size: 700_000 },
    });
    expect(ctx.delivered[0]?.files[0]).toMatchObject({ name: "grün 🌱.pdf", media_type: "application/pdf" });
    expect(Buffer.compare(ctx.delivered[0]!.files[0]!.bytes!, bytes)).toBe(0);
  });

  it("of no bytes is one too", async () => {
    const { ctx } = await start();
    put("empty.txt", "");
    await waitFor(() => ctx.delivered.length === 1);
    expect(ctx.delivered[0]?.files[0]?.bytes?.length).toBe(0);
  });

  it("that grows while it is read is one event, with all of it", async () => {
    const { ctx } = await start();
    const path = put("log.bin", Buffer.alloc(3 << 20, 1));
    let reads = 0;
    ctx.beforeDeliver = () => {
      reads += 1;
      if (reads === 1) appendFileSync(path, Buffer.alloc(1 << 20, 2));
    };
    await waitFor(() => ctx.delivered.length === 1);
    expect(reads).toBeGreaterThan(1);
    expect(ctx.delivered[0]?.files[0]?.bytes?.length).toBe(4 << 20);
    await waitFor(() => existsSync(at(".done/log.bin")));
  });

  it("is not held in memory", async () => {
    execFileSync("mkdir", ["-p", at(".")]);
    execFileSync("truncate", ["-s", "600M", at("large.iso")]);
    const { ctx } = await start({}, (made) => {
      made.deliver = async (draft) => {
        let size = 0;
        for await (const chunk of draft.content!.attachments![0]!.data as AsyncIterable<Buffer>)
          size += chunk.length;
        made.delivered.push({ files: [], platform_id: String(size) });
        return { id: "1", duplicate: false };
      };
    });
    const rss = process.memoryUsage().rss;
    let most = 0;
    await waitFor(() => {
      most = Math.max(most, process.memoryUsage().rss - rss);
      return ctx.delivered.length === 1;
    });
    expect(ctx.delivered[0]?.platform_id).toBe(String(600 << 20));
    expect(most).toBeLessThan(150 << 20);
  });
});

describe("what is refused", () => {
  it("is moved aside unopened, with its reason: links, pipes, sockets, hard links", async () => {
    mkdirSync(at("."), { recursive: true });
    const secret = join(home, "secret.txt");
    writeFileSync(secret, "not yours");
    symlinkSync(secret, at("link.txt"));
    symlinkSync(secret, at("link.json"));
    linkSync(secret, at("hard.txt"));
    for (let n = 0; n < 6; n += 1) execFileSync("mkfifo", [at(`pipe${n}.json`)]);
    const server = createServer().listen(at("socket"));
    await waitFor(() => existsSync(at("socket")));
    const { ctx } = await start();
    await waitFor(() => existsSync(at(".failed")) && readdirSync(at(".failed")).length === 20);
    put("after.json", { text: "it goes on" });
    await waitFor(() => existsSync(at(".done/after.json")));
    expect(ctx.texts()).toEqual(["it goes on"]);
    expect(reason("link.txt")).toMatchObject({
      code: "not_a_file",
      error: "link.txt: it is a symbolic link",
    });
    expect(reason("hard.txt").error).toContain("hard link");
    expect(reason("pipe0.json").error).toContain("pipe");
    expect(reason("socket").error).toContain("socket");
    expect(readdirSync(at(".")).sort()).toEqual([".done", ".failed"]);
    expect(readFileSync(secret, "utf8")).toBe("not yours");
    server.close();
  });

  it("includes what the runtime refuses, e.g. too large an attachment", async () => {
    const { ctx } = await start({}, (made) => {
      made.beforeDeliver = (draft) => {
        if (draft.content?.attachments) throw new SpoolwayError("too_large", "more than 5 bytes");
      };
    });
    put("large.bin", "123456");
    put("small.json", { text: "small" });
    await waitFor(() => existsSync(at(".failed/large.bin")));
    expect(reason("large.bin")).toMatchObject({ code: "too_large", error: "more than 5 bytes" });
    expect(ctx.texts()).toEqual(["small"]);
  });

  it.skipIf(process.getuid?.() === 0)("includes a file that cannot be read", async () => {
    await start();
    chmodSync(put("locked.txt", "x"), 0);
    await waitFor(() => existsSync(at(".failed/locked.txt")));
    expect(reason("locked.txt").code).toBe("unreadable");
  });

  it("never takes the place of what was refused before", async () => {
    await start();
    for (const text of ["one", "two", "three"]) {
      put("x.json", text);
      await waitFor(() => !existsSync(at("x.json")));
    }
    const kept = readdirSync(at(".failed")).filter((name) => !name.endsWith(".error.json"));
    expect(kept.map((name) => readFileSync(at(`.failed/${name}`), "utf8")).sort()).toEqual([
      "one",
      "three",
      "two",
    ]);
  });
});

describe("one file is one event", () => {
  it("when the process dies between delivery and moving it away", async () => {
    const first = await start();
    put("seed.json", { text: "seed" });
    await waitFor(() => existsSync(at(".done/seed.json")));
    // A folder that cannot be written to is what a death at that instant looks like from the outside.
    rmSync(at(".done"), { recursive: true });
    writeFileSync(at(".done"), "in the way");
    put("a.json", { text: "once" });
    await waitFor(() => first.ctx.logged("file.stuck").length === 1);
    await first.end();
    rmSync(at(".done"));
    const second = await start();
    await waitFor(() => existsSync(at(".done/a.json")));
    expect(second.ctx.delivered.map(({ key }) => key)).toEqual(
      first.ctx.delivered.slice(1).map(({ key }) => key),
    );
  });

  it("and the same name dropped again is a new one, also with the same bytes and times", async () => {
    const { ctx } = await start({ after: "delete" });
    const template = join(home, "template.json");
    writeFileSync(template, JSON.stringify({ text: "again" }));
    utimesSync(template, 1e9, 1e9);
    for (let n = 1; n <= 5; n += 1) {
      execFileSync("cp", ["-p", template, at("x.json")]);
      await waitFor(() => ctx.delivered.length === n && !existsSync(at("x.json")));
    }
  });

  it("in order of their times, then names, as far as they wait together", async () => {
    const names = ["b", "a", "c", "z", "m"];
    const times = [3000, 3000, 1000, 2000, 4000];
    names.forEach((name, n) => utimesSync(put(`${name}.json`, { text: name }), times[n]!, times[n]!));
    utimesSync(put("attached.txt", "x"), 3500, 3500);
    await delay(50);
    const { ctx } = await start({ settle: "1ms" });
    await waitFor(() => ctx.delivered.length === 6);
    const order = ctx.delivered.map(({ content, files }) => content?.text ?? files[0]?.name);
    expect(order.filter((name) => name !== "attached.txt")).toEqual(["c", "z", "a", "b", "m"]);
  });

  it("with thousands of files at once", async () => {
    mkdirSync(at("."), { recursive: true });
    for (let n = 0; n < 1500; n += 1)
      writeFileSync(at(`${String(n).padStart(5, "0")}.json`), `{"text":"${n}"}`);
    const { ctx } = await start();
    await waitFor(() => ctx.delivered.length === 1500 && readdirSync(at(".done")).length === 1500);
    expect(new Set(ctx.texts()).size).toBe(1500);
  });
});
