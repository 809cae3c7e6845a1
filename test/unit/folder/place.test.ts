// Which files are looked at, what happens to them afterwards, and the folder itself.
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { SpoolwayError } from "../../../runtime/errors.ts";
import { waitFor } from "../../helpers/wait.ts";
import { at, home, put, start, state, thrown } from "./session.ts";

describe("after: delete and keep", () => {
  it("delete removes what was delivered and nothing else", async () => {
    const { ctx } = await start({ after: "delete" });
    put("a.json", { text: "a" });
    put("b.json", "nonsense");
    await waitFor(() => existsSync(at(".failed/b.json")));
    expect(ctx.texts()).toEqual(["a"]);
    expect(existsSync(at("a.json"))).toBe(false);
  });

  it("keep leaves everything where it is, delivers it once over restarts, and again when it changes", async () => {
    put("a.json", { text: "a" });
    put("bad.json", "nonsense");
    put("c.txt", "c");
    const first = await start({ after: "keep" });
    await waitFor(() => first.ctx.delivered.length === 2 && first.ctx.logged("file.refused").length === 1);
    await delay(600);
    await first.end();
    chmodSync(at("c.txt"), 0o600);
    const second = await start({ after: "keep" });
    await delay(600);
    expect(second.ctx.delivered).toEqual([]);
    put("a.json", { text: "changed" });
    await waitFor(() => second.ctx.delivered.length === 1);
    expect(second.ctx.texts()).toEqual(["changed"]);
    expect(readdirSync(at(".")).sort()).toEqual(["a.json", "bad.json", "c.txt"]);
    expect(second.ctx.logged("file.refused")).toHaveLength(1);
    rmSync(at("a.json"));
    await waitFor(() => !state.has("kept:a.json"));
  });
});

describe("which files", () => {
  it("skips dot files and unfinished ones, and what does not match the pattern", async () => {
    const { ctx } = await start({ pattern: "*.{json,txt}", settle: "10ms" });
    for (const name of [".hidden.json", "a.json.tmp", "b.txt~", "c.txt.part", "d.pdf", "sub/e.json"])
      put(name, { text: name });
    put("yes.json", { text: "yes" });
    await waitFor(() => ctx.delivered.length === 1);
    await delay(300);
    expect(ctx.texts()).toEqual(["yes"]);
    expect(readdirSync(at(".")).sort()).toEqual([
      ".done",
      ".hidden.json",
      "a.json.tmp",
      "b.txt~",
      "c.txt.part",
      "d.pdf",
      "sub",
    ]);
  });

  it("takes a file that was renamed to its final name", async () => {
    const { ctx } = await start();
    renameSync(put("x.json.tmp", { text: "final" }), at("x.json"));
    await waitFor(() => ctx.delivered.length === 1);
  });

  it("looks into folders below when it is to, and keeps their names apart", async () => {
    const { ctx } = await start({ recursive: true, pattern: "**/*.json" });
    put("a/x.json", { text: "a" });
    put("b/deep/x.json", { text: "b" });
    symlinkSync(home, at("loop"));
    await waitFor(() => ctx.delivered.length === 2);
    await waitFor(() => existsSync(at(".done/a/x.json")) && existsSync(at(".done/b/deep/x.json")));
  });

  it("says which name it cannot open", async () => {
    mkdirSync(at("."), { recursive: true });
    execFileSync("bash", ["-c", `printf x > "$1"$'/\\xff\\xfe.txt'`, "-", at(".")]);
    const { ctx } = await start();
    await waitFor(() => ctx.logged("file.unreachable").length === 1);
  });
});

describe("the folder", () => {
  it("is created when it was never there", async () => {
    const { ctx } = await start({ path: "new/deep" });
    mkdirSync(join(home, "new/deep"), { recursive: true });
    writeFileSync(join(home, "new/deep/a.json"), '{"text":"a"}');
    await waitFor(() => ctx.delivered.length === 1);
    expect(ctx.delivered[0]?.conversation?.id).toBe("deep");
  });

  it("that disappears ends the session, is not made anew, and is watched again when it is back", async () => {
    const { received } = await start();
    rmSync(at("."), { recursive: true });
    expect(await thrown(received)).toMatchObject({
      fate: "reconnect",
      message: expect.stringContaining("gone"),
    });
    expect(await thrown(start())).toMatchObject({ fate: "reconnect" });
    expect(existsSync(at("."))).toBe(false);
    mkdirSync(at("."));
    const { ctx } = await start();
    put("a.json", { text: "back" });
    await waitFor(() => ctx.delivered.length === 1);
  });

  it("that is replaced by another one is watched on", async () => {
    const { ctx } = await start();
    put("a.json", { text: "in the old one" });
    await waitFor(() => ctx.delivered.length === 1);
    // Between two looks: one that falls into the moment without a folder ends the session, as above.
    await delay(300);
    renameSync(at("."), join(home, "old"));
    mkdirSync(at("."));
    put("b.json", { text: "in the new one" });
    await waitFor(() => ctx.delivered.length === 2, { timeoutMs: 5000 });
  });

  it("is never the home or the spool, nor a file", async () => {
    mkdirSync(join(home, "spool/inbox"), { recursive: true });
    writeFileSync(join(home, "file"), "");
    symlinkSync(join(home, "spool"), join(home, "link"));
    for (const config of [
      { path: "." },
      { path: "spool/inbox" },
      { path: "link/inbox" },
      { path: "file" },
      { path: "..", recursive: true },
    ]) {
      expect(await thrown(start(config)), JSON.stringify(config)).toMatchObject({
        fate: "stop",
        code: "config_invalid",
      });
    }
  });

  it("loses nothing when an event cannot be written", async () => {
    put("a.json", { text: "a" });
    put("b.txt", "b");
    const full = await start({}, (made) => {
      made.beforeDeliver = () => {
        throw new SpoolwayError("spool_write_failed", "no space left on device");
      };
    });
    expect(await thrown(full.received)).toMatchObject({ code: "spool_write_failed" });
    expect(readdirSync(at(".")).sort()).toEqual(["a.json", "b.txt"]);
    const { ctx } = await start();
    await waitFor(() => ctx.delivered.length === 2);
  });
});

it("copies keep their own inode, so that a restored file is delivered again", async () => {
  const { ctx } = await start();
  put("a.json", { text: "a" });
  await waitFor(() => existsSync(at(".done/a.json")));
  copyFileSync(at(".done/a.json"), at("a.json"));
  await waitFor(() => ctx.delivered.length === 2);
});
