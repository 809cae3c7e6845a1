// A wall clock that a test can set while a process runs: libfaketime, preloaded. Timers and the monotonic clock go on as they are, as when a person or NTP sets the clock.
// A connector that the supervisor starts gets a clean environment and so the real clock; one of startConnector gets this one.
import { existsSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { atEnd } from "./children.ts";

/** libfaketime; undefined where it is not installed. */
export const fakeTimeLibrary = [
  "/usr/lib/x86_64-linux-gnu",
  "/usr/lib/aarch64-linux-gnu",
  "/usr/lib64",
  "/usr/lib",
]
  .map((folder) => join(folder, "faketime/libfaketimeMT.so.1"))
  .find((path) => existsSync(path));

/** Why there is none on this machine; undefined where there is. */
export const noFakeClock: string | undefined =
  fakeTimeLibrary === undefined ? "libfaketime is missing (Debian: apt-get install faketime)" : undefined;

export class FakeClock {
  private readonly folder = mkdtempSync(join(tmpdir(), "spoolway-clock-"));
  private offsetMs = 0;

  constructor() {
    this.set(0);
    atEnd(() => rmSync(this.folder, { recursive: true }));
  }

  /** For the process whose clock it is. */
  get env(): Record<string, string> {
    return {
      LD_PRELOAD: fakeTimeLibrary ?? "",
      FAKETIME_TIMESTAMP_FILE: this.file,
      FAKETIME_NO_CACHE: "1",
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
      FAKETIME_DONT_RESET: "1",
      NO_FAKE_STAT: "1",
    };
  }

  /** What it shows, in ms since 1970. */
  now(): number {
    return Date.now() + this.offsetMs;
  }

  /** So many hours ahead of the real time, or behind it. */
  set(hours: number): void {
    this.offsetMs = hours * 3_600_000;
    const seconds = hours * 3600;
    // It is read at every look at the clock: never half written.
    writeFileSync(`${this.file}.new`, `${seconds < 0 ? "-" : "+"}${Math.abs(seconds)}`);
    renameSync(`${this.file}.new`, this.file);
  }

  private get file(): string {
    return join(this.folder, "offset");
  }
}
