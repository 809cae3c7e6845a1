// What lies in failed/ may have been made by anybody, too: the commands show it without obeying it, and move nothing out of the spool. And how entries get there:
// unopened, under an id that is nobody else's.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { realFileSystem, useFileSystem } from "../../runtime/spool/fs.ts";
import { redrive } from "../../runtime/spool/redrive.ts";
import { refuseDrop } from "../../runtime/spool/refuse.ts";
import { runCommand } from "../helpers/command.ts";
import { makePlace, type Place, readJson } from "./hostile-pump.ts";

let place: Place;
beforeEach(async () => {
  place = await makePlace();
});
afterEach(() => place.remove());

/** What moves the cursor, colours, hides or reorders. */
const raw = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e]/;
const evil = "\x1b]0;owned\x07\u202e";

const letter = (more: object): string =>
  JSON.stringify({
    ...{ record: "dead_letter", version: 1, id: "x", connector: "one", attempts: 0 },
    ...{ failed_at: "2026-01-01T00:00:00Z", code: evil, error: evil, drop: evil, entry: evil },
    ...more,
  });

test("no command prints what a forged letter holds as it is, nor stumbles over its time", async () => {
  const { failed } = place.outbox.paths;
  writeFileSync(
    join(failed, "forged.json"),
    letter({
      history: [
        { attempt: 1, started_at: "2026-01-01T00:00:00Z", fate: "retry", counted: true, message: evil },
      ],
    }),
  );
  writeFileSync(join(failed, `${evil}\n.json`), "broken");
  // A time that no date can say, where the file system keeps it.
  utimesSync(join(failed, `${evil}\n.json`), 9e15, 9e15);
  for (const args of [["list"], ["show", "forged"], ["show", `${evil}\n`], ["retry", "forged"]]) {
    const { stdout, stderr, code } = await runCommand(["failed", ...args, "--home", place.home]);
    expect(`${stdout}${stderr}`, args.join(" ")).not.toMatch(raw);
    expect(code, `${args.join(" ")}: ${stderr}`).toBe(args[0] === "retry" ? 1 : 0);
  }
});

test("a refusal goes back into the outbox, whatever path its letter names", async () => {
  const { root, failed, outbox } = place.outbox.paths;
  mkdirSync(join(root, "outbox/two"));
  for (const [n, drop] of ["../../../escaped.json", "/../../two/escaped.json", "a/b.json"].entries()) {
    writeFileSync(join(failed, `e${n}.json`), letter({ id: `e${n}`, drop, entry: `e${n}.entry` }));
    writeFileSync(join(failed, `e${n}.entry`), "refused");
    expect(await redrive(root, "one", [{ id: `e${n}`, hasMessage: false, drop }])).toEqual(["redriven"]);
    expect(readdirSync(outbox)).toHaveLength(n + 1);
  }
  expect([existsSync(join(place.home, "escaped.json")), readdirSync(join(root, "outbox/two"))]).toEqual([
    false,
    [],
  ]);
});

test("what is no regular file is refused without being opened, so that no pipe's writer and no device notices", () => {
  const { outbox } = place;
  const at = (name: string): string => join(outbox.paths.outbox, name);
  execFileSync("mkfifo", [at("pipe.json")]);
  symlinkSync("/dev/zero", at("link.json"));
  mkdirSync(at("folder.json"));
  const opened: unknown[] = [];
  const restore = useFileSystem({
    ...realFileSystem,
    openSync: (path, ...rest) => {
      opened.push(path);
      return realFileSystem.openSync(path, ...rest);
    },
  });
  try {
    for (const file of place.list("outbox"))
      expect(outbox.read(file)).toMatchObject({ kind: "refused", code: "not_a_file" });
  } finally {
    restore();
  }
  expect(opened).toEqual([]);
});

test("from the moment at which a refusal is decided its id is used, also by a second refusal and also after a receipt", async () => {
  const { outbox } = place;
  const refuse = (file: string, id: string): Promise<string> => {
    writeFileSync(join(outbox.paths.outbox, file), "{");
    return refuseDrop(
      outbox,
      file,
      { id, code: "invalid_json", error: "e".repeat(100_000), bytes: Buffer.from("{") },
      (one) => one === "taken",
    );
  };
  const first = refuse("1.json", "m");
  expect(outbox.settled("m"), "its letter is not there yet").toMatchObject({ as: "failed" });
  writeFileSync(join(outbox.paths.sent, "sent.json"), "{}");
  await Promise.all([first, refuse("2.json", "m"), refuse("3.json", "taken"), refuse("4.json", "sent")]);
  const letters = place.list("failed").filter((file) => file.endsWith(".json"));
  expect(letters.sort()).toEqual(["m+2.json", "m.json", "sent+2.json", "taken+2.json"]);
  expect(readJson<{ error: string }>(place, "failed", "m.json").error.length).toBeLessThan(5000);
  rmSync(join(outbox.paths.sent, "sent.json"));
});
