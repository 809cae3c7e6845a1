// Drops that belong to somebody else: what the user that runs the bus may not read, and what it may not move (another user's file in a folder with the sticky bit,
// another user's folder). Each is a dead letter with its reason, once; the connector goes on; and when the rights are mended the message is sent.
//
// Root may do everything and would see none of this: as root the bus runs as nobody, through setpriv.
import { type ChildProcess, execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { findExecutable, spawnTethered } from "../../runtime/process.ts";
import { atEnd, exited, expectGone, track, trackDescendants } from "../helpers/children.ts";
import { projectRoot } from "../helpers/command.ts";
import { Spool } from "../helpers/spool.ts";
import { waitFor } from "../helpers/wait.ts";

const scripted = join(import.meta.dirname, "../helpers/connectors/scripted");
const nobody = 65534;

/** `spoolway run` as nobody, on a home that belongs to nobody. */
class NobodysBus extends Spool {
  private readonly child: ChildProcess;
  private readonly home: string;

  constructor(home: string) {
    super(join(home, "spool"));
    this.home = home;
    const log = openSync(join(home, "bus.log"), "a");
    const who = [`--reuid=${nobody}`, `--regid=${nobody}`, "--clear-groups", "--pdeathsig", "KILL", "--"];
    const args = [...who, process.execPath, join(projectRoot, "runtime/main.ts"), "run", "--home", home];
    this.child = spawnTethered("setpriv", args, { cwd: home, stdio: ["ignore", log, log], detached: true });
    closeSync(log);
    track(this.child.pid, home);
  }

  logs(): string {
    return readFileSync(join(this.home, "bus.log"), "utf8");
  }

  async live(): Promise<void> {
    await waitFor(() => this.connector("one")?.state === "live", {
      timeoutMs: 30_000,
      message: () => this.logs().slice(-3000),
    });
  }

  async stop(): Promise<void> {
    trackDescendants(this.child.pid ?? 0, this.home);
    this.child.kill("SIGTERM");
    await exited(this.child);
    await expectGone(10_000, this.home);
  }
}

/** Why this cannot be tried here; undefined when it can. */
function hindrance(): string | undefined {
  if (process.getuid?.() !== 0) return "only root can make files of other users";
  if (findExecutable("setpriv") === undefined) return "there is no setpriv";
  try {
    execFileSync("setpriv", [
      `--reuid=${nobody}`,
      "--clear-groups",
      process.execPath,
      "--check",
      join(projectRoot, "runtime/main.ts"),
    ]);
    return undefined;
  } catch {
    return "nobody cannot read this checkout";
  }
}

const why = hindrance();
if (why !== undefined) console.warn(`SKIPPED: drops of other users: ${why}`);

test.skipIf(why !== undefined)(
  "what may not be read or moved is refused with its reason, once, and hinders nobody",
  { timeout: 120_000 },
  async () => {
    const home = mkdtempSync(join(tmpdir(), "spoolway-nobody-"));
    writeFileSync(
      join(home, "connectors.yml"),
      JSON.stringify({
        connectors: [
          { name: "one", type: scripted, log: "../../../one.jsonl", runtime: { settle: "500ms" } },
          { name: "two", type: scripted, log: "../../../two.jsonl" },
        ],
      }),
    );
    const outbox = join(home, "spool/outbox/one");
    mkdirSync(outbox, { recursive: true });
    mkdirSync(join(home, "spool/outbox/two"));
    execFileSync("chown", ["-R", `${nobody}:${nobody}`, home]);
    // Like /tmp: everybody may drop here, and nobody may move what is another's.
    chownSync(outbox, 0, 0);
    chmodSync(outbox, 0o1777);

    const bus = new NobodysBus(home);
    atEnd(async (failed) => {
      await bus.stop();
      if (failed) console.error(`the home of the failed test: ${home}`);
      else rmSync(home, { recursive: true });
    });
    await bus.live();
    const pid = bus.connector("one")?.pid;
    const drop = (name: string, value: unknown, owner = 0, mode = 0o644): void => {
      // Under no drop's name before it is whose it is to be.
      const path = join(outbox, name);
      writeFileSync(path, typeof value === "string" ? value : JSON.stringify(value));
      chmodSync(path, mode);
      chownSync(path, owner, owner);
      renameSync(path, `${path}.json`);
    };
    const message = (id: string, more: object = {}) => ({ conversation_id: id, text: id, ...more });
    writeFileSync(join(outbox, "closed.txt"), "not for nobody");
    chmodSync(join(outbox, "closed.txt"), 0o600);
    writeFileSync(join(outbox, "open.txt"), "for all");
    drop("unreadable", message("a"), 0, 0o600);
    drop("unmovable", message("b"));
    drop("unmovable with id", message("b2", { id: "mine" }));
    drop("unmovable and bad", "{");
    drop("unmovable with attachment", message("c", { attachments: [{ path: "open.txt" }] }));
    drop("unmovable and scheduled", message("d", { not_before: "2190-01-01T00:00:00Z" }));
    drop("closed attachment", message("e", { attachments: [{ path: "closed.txt" }] }), nobody);
    mkdirSync(join(outbox, "folder.json"));
    // In a folder of one's own another's folder cannot be moved either: that would change its "..".
    mkdirSync(join(home, "spool/outbox/two/folder.json"));
    const ends: Record<string, string> = {
      unreadable: "unreadable",
      unmovable: "unmovable",
      "unmovable with id": "unmovable",
      "unmovable and bad": "invalid_json",
      "unmovable with attachment": "unmovable",
      "unmovable and scheduled": "unmovable",
      "closed attachment": "attachment_missing",
      folder: "not_a_file",
    };
    const letters = () =>
      bus.deadLetters("one").map(({ drop: name = "", code }) => [name.replace(/\.json$/, ""), code]);
    await waitFor(() => letters().length >= Object.keys(ends).length, {
      timeoutMs: 30_000,
      message: () => bus.where("one"),
    });
    expect(Object.fromEntries(letters())).toEqual(ends);
    expect(letters()).toHaveLength(Object.keys(ends).length);
    for (const { drop: name, error, entry } of bus.deadLetters("one"))
      if (name !== "closed attachment.json")
        expect([error, entry], name).toEqual([expect.stringContaining("stays in the outbox"), undefined]);
    const stuck = await bus.waitForDeadLetter("two", ({ drop: name }) => name === "folder.json");
    expect([stuck.code, stuck.entry, bus.list("outbox/two")]).toEqual([
      "not_a_file",
      undefined,
      ["folder.json"],
    ]);
    expect([bus.list("sending/one"), bus.list("retry/one")]).toEqual([[], []]);

    // Others are served, by the same process, in the same session.
    drop("fine", message("f", { id: "fine" }), nobody);
    await bus.waitForReceipt("one", "fine");
    expect(bus.connector("one")?.pid).toBe(pid);
    expect(bus.logs()).not.toMatch(/lane\.failed|session\.lost/);

    // A restart looks again, and says nothing new.
    const restart = async (): Promise<void> => {
      const before = bus.connector("one")?.pid;
      writeFileSync(join(home, "spool/control/one.restart"), "");
      await waitFor(() => bus.connector("one")?.pid !== before && bus.connector("one")?.state === "live", {
        timeoutMs: 30_000,
      });
    };
    await restart();
    drop("fine again", message("f", { id: "fine2" }), nobody);
    await bus.waitForReceipt("one", "fine2");
    expect(letters()).toHaveLength(Object.keys(ends).length);

    // Mended: what was a message is sent.
    for (const name of ["unreadable", "unmovable", "unmovable with id", "unmovable with attachment"])
      chownSync(join(outbox, `${name}.json`), nobody, nobody);
    await restart();
    await bus.waitForReceipt("one", "mine");
    await waitFor(() => bus.list("sent/one").length === 6, { message: () => bus.where("one") });
    expect(existsSync(join(outbox, "unmovable.json"))).toBe(false);
  },
);
