// The steps that the promises rest on, each with its removal: the source text to find and what takes its place. Every one of them must make a test fail.
//
// A mutation is made of one file. `find` has to occur exactly once there: a list that no longer fits the code is an error, not a pass.

export interface Mutation {
  /** Short and unique, for `--only`. */
  id: string;
  /** What is taken away. */
  what: string;
  /** Relative to the project's root. */
  file: string;
  find: string;
  replace: string;
  /** Where it is likely to be noticed, the quickest first; the first failing file ends the run of this mutation. */
  tests: readonly string[];
}

const model = "test/fault/model.test.ts";
const syscalls = "test/fault/syscalls.test.ts";
const hostile = "test/fault/hostile.test.ts";
const spool = "test/unit/spool";
const outbound = "test/integration/connector/outbound.test.ts";

/** One file's mutations: [id, what, find, replace, tests]. */
const of = (
  file: string,
  rows: ReadonlyArray<readonly [string, string, string, string, readonly string[]]>,
): Mutation[] => rows.map(([id, what, find, replace, tests]) => ({ id, what, file, find, replace, tests }));

export const mutations: readonly Mutation[] = [
  ...of("runtime/spool/disk.ts", [
    [
      "create-exclusive",
      "O_EXCL when a file is created",
      "O_CREAT | O_EXCL | O_WRONLY",
      "O_CREAT | O_WRONLY",
      [spool, syscalls],
    ],
    [
      "create-nofollow",
      "O_NOFOLLOW when a file is created",
      "O_WRONLY | O_NOFOLLOW",
      "O_WRONLY",
      [spool, hostile],
    ],
    [
      "read-nonblock",
      "O_NONBLOCK when a drop is opened",
      "O_RDONLY | O_NONBLOCK | O_NOFOLLOW",
      "O_RDONLY | O_NOFOLLOW",
      [spool, hostile],
    ],
    [
      "read-nofollow",
      "O_NOFOLLOW when a drop is opened",
      "O_RDONLY | O_NONBLOCK | O_NOFOLLOW",
      "O_RDONLY | O_NONBLOCK",
      [spool, hostile],
    ],
    [
      "short-write",
      "going on after a short write",
      "while (offset < bytes.length) offset += fs.writeSync",
      "offset += fs.writeSync",
      [syscalls, spool],
    ],
    [
      "link-exclusive",
      "link: a final name that is taken is replaced",
      "fs.linkSync(from, to);",
      "fs.renameSync(from, to);",
      [spool, model],
    ],
    [
      "folder-sync-shared",
      "a folder's fsync that began before the rename counts",
      "entry.next ??= entry.running.then(",
      "return entry.running;\n  entry.next ??= entry.running.then(",
      [spool, model],
    ],
    [
      "folder-fsync",
      "every fsync of a folder",
      "await syncFile(fd);\n  } catch (error) {\n    throw new SpoolwayError",
      "} catch (error) {\n    throw new SpoolwayError",
      [model, syscalls],
    ],
  ]),
  ...of("runtime/spool/publish.ts", [
    ["publish-fsync", "fsync of a published file", "await syncFile(fd);", "", [model]],
    [
      "publish-folder-fsync",
      "fsync of the folder a file was published in",
      "syncFolder(folder).catch(",
      "Promise.resolve().catch(",
      [model],
    ],
    [
      "publish-tmp",
      "the final name before the bytes are durable",
      "const temps = await Promise.all(",
      "const temps = batch.map((item) => { const path = tmpPath(tmp); const fd = createFile(path); writeAll(fd, item.bytes); fs.closeSync(fd); return path; });\n  void (",
      [model],
    ],
    [
      "publish-fresh-file",
      "a fresh file after a failed fsync",
      'if (errnoOf(error) !== "EIO") return writeFailed(error);',
      "return writeFailed(error);",
      [syscalls, spool],
    ],
  ]),
  ...of("runtime/spool/claim.ts", [
    [
      "claim-fsync",
      "fsync of a claimed drop's bytes",
      "bothOrNeither(syncFile(fd), ",
      "bothOrNeither(",
      [model],
    ],
    [
      "claim-folder-fsync",
      "fsync of sending/ after a claim",
      "bothOrNeither(syncFile(fd), syncFolder(outbox.paths.sending))",
      "bothOrNeither(syncFile(fd))",
      [model],
    ],
    [
      "claim-reread",
      "reading a drop again after the rename",
      "if (!isUnchanged(fd, target, drop.bytes)) {",
      "if (false) {",
      [spool, hostile, outbound],
    ],
    [
      "take-away-reread",
      "reading a drop again before it is removed",
      'if (again.kind !== "message" || !again.bytes.equals(drop.bytes)) return false;',
      "",
      [spool, hostile],
    ],
    [
      "take-away-fsync",
      "fsync of outbox/ after a drop was taken over",
      "remove(join(outbox.paths.outbox, file));\n  await syncFolder(outbox.paths.outbox);",
      "remove(join(outbox.paths.outbox, file));",
      [model],
    ],
    [
      "put-back-exclusive",
      "putting a drop back without replacing a newer one",
      "if (moveExclusive(target, join(outbox.paths.outbox, name))) return;",
      "fs.renameSync(target, join(outbox.paths.outbox, name));\n    return;",
      [spool, hostile],
    ],
  ]),
  ...of("runtime/spool/outbox.ts", [
    [
      "retry-claim-fsync",
      "fsync of sending/ after the claim of a retry",
      "if (!move(join(this.paths.retry, file), target)) return undefined;\n    // retry/ is not synced: an entry that comes back after a power cut is older than the claim (row 12).\n    await syncFolder(this.paths.sending);",
      "if (!move(join(this.paths.retry, file), target)) return undefined;",
      [model],
    ],
    [
      "claim-again-fsync",
      "fsync of sending/ before an uncertain message is sent again",
      "move(this.claimPath(entry), this.claimPath(next));\n    await syncFolder(this.paths.sending);",
      "move(this.claimPath(entry), this.claimPath(next));",
      [model],
    ],
    [
      "receipt-first",
      "the receipt before the claim is removed",
      "async sent(entry: Accepted, result: Parameters<typeof receiptOf>[2]): Promise<void> {",
      "async sent(entry: Accepted, result: Parameters<typeof receiptOf>[2]): Promise<void> {\n    remove(this.claimPath(entry));",
      [model, syscalls],
    ],
    [
      "retry-first",
      "the retry record before the claim is removed",
      "const name = retryName(dueMs, entry.id, entry.attempts);",
      "const name = retryName(dueMs, entry.id, entry.attempts);\n    remove(this.claimPath(entry));",
      [model, syscalls],
    ],
    [
      "letter-first",
      "the dead letter before the claim is removed",
      "const letter = deadLetterOf(this.name, entry, why);",
      "const letter = deadLetterOf(this.name, entry, why);\n    remove(from === undefined ? this.claimPath(entry) : join(this.paths.retry, from));",
      [model, syscalls],
    ],
  ]),
  ...of("runtime/spool/refuse.ts", [
    [
      "refusal-letter",
      "the dead letter of a refused drop",
      "await publishJson(outbox.paths.tmp, outbox.paths.failed, `${id}.json`, letter);\n  await syncFolder(outbox.paths.outbox);",
      "await syncFolder(outbox.paths.outbox);",
      [spool, model],
    ],
    [
      "duplicate-fsync",
      "fsync of outbox/ after a repeated drop was removed",
      "remove(join(outbox.paths.outbox, file));\n    await syncFolder(outbox.paths.outbox);",
      "remove(join(outbox.paths.outbox, file));",
      [model],
    ],
  ]),
  ...of("runtime/spool/inbox.ts", [
    [
      "seen-check",
      "the look at the seen-set",
      "if (state.hasSeen(item.id)) item.resolve({ duplicate: true });\n      else fresh.push(item);",
      "fresh.push(item);",
      [spool, model],
    ],
    [
      "seen-after",
      "recording an event as seen only once it is durable",
      "const outcomes = await publish(",
      "state.addSeen(fresh.map((item) => item.id));\n    const outcomes = await publish(",
      [model, syscalls],
    ],
    [
      "mark-open",
      "the mark that the seen-set may be behind the inbox",
      "state.markOpen();",
      "",
      [model, syscalls],
    ],
  ]),
  ...of("runtime/spool/statedb.ts", [
    [
      "state-full",
      "synchronous=FULL for the connector's own state",
      'this.#db.exec("PRAGMA synchronous = FULL");',
      "",
      [model],
    ],
    [
      "adopt-inbox",
      "adopting the inbox's ids at a start",
      "if (existed && !state.#closedCleanly()) await state.#adoptFromInbox();",
      "",
      [model, spool],
    ],
  ]),
  ...of("runtime/spool/media.ts", [
    ["media-fsync", "fsync of an attachment's bytes", "await syncFile(fd);", "", [model]],
    ["media-folder-fsync", "fsync of media/", "await syncFolder(paths.media);", "", [model]],
    [
      "attachment-links",
      "refusing links in an attachment's path",
      "if (fs.lstatSync(at).isSymbolicLink()) throw outside();",
      "",
      [spool, hostile],
    ],
    [
      "attachment-real-path",
      "comparing the opened attachment's own path",
      "if (real !== join(fs.realpathSync(base), ...parts)) throw outside();",
      "",
      [hostile],
    ],
  ]),
  ...of("runtime/spool/recover.ts", [
    [
      "recover-finished",
      "R3: removing what is finished already",
      "if (settled === undefined) return false;",
      "return false;",
      [spool, model],
    ],
    [
      "recover-younger-claim",
      "R7: the younger claim wins over the retry entry",
      "if (retry !== undefined && retry.attempt < parsed.attempt) {",
      "if (false) {",
      [spool, model],
    ],
    [
      "recover-retry",
      "R2: the retry entry wins over its claim",
      "if (retries.has(parsed.id) || isFinished(",
      "if (isFinished(",
      [spool, model],
    ],
    [
      "recover-refusal",
      "R6: a dead letter for an entry without one",
      "await finishRefusals(outbox);",
      "",
      [spool, model],
    ],
    [
      "recover-crashes",
      "counting tries that a crash ended",
      "const crashes = Math.max(0, attempt - entry.attempts - 1);",
      "const crashes = 0;",
      [spool, outbound],
    ],
  ]),
  ...of("runtime/spool/redrive.ts", [
    [
      "redrive-fsync",
      "fsync of outbox/ and failed/ after a redrive",
      'if (outcomes.includes("redriven")) await Promise.all([syncFolder(outbox), syncFolder(failed)]);',
      "",
      [model],
    ],
    [
      "redrive-letter-first",
      "removing a refusal's letter before its drop goes back",
      'remove(json);\n    return move(entry, join(outbox, entryName(letter))) ? "redriven" : "gone";',
      'const moved = move(entry, join(outbox, entryName(letter)));\n    remove(json);\n    return moved ? "redriven" : "gone";',
      [spool, model, syscalls],
    ],
    [
      "purge-fsync",
      "fsync of failed/ after a purge",
      'if (outcomes.includes("purged")) await syncFolder(failed);',
      "",
      [model],
    ],
  ]),
  ...of("runtime/spool/control.ts", [
    [
      "resume-fsync",
      "fsync of control/ after a pause was lifted",
      "await syncFolder(folder);\n  return removed;",
      "return removed;",
      [model],
    ],
  ]),
];
