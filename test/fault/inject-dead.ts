// What a process that was killed in play does no more (inject.ts).
import type { FileSystem } from "../../runtime/spool/fs.ts";

/** A dead process reads nothing either: else its loops would go on. */
export function deadAware(fs: FileSystem, process: { expectAlive: () => void }): Partial<FileSystem> {
  const names = [
    "lstatSync",
    "statSync",
    "fstatSync",
    "readSync",
    "readlinkSync",
    "realpathSync",
    "watch",
  ] as const;
  const wrap = (name: (typeof names)[number]): unknown => {
    const run = fs[name] as (...args: unknown[]) => unknown;
    return (...args: unknown[]): unknown => {
      process.expectAlive();
      return run(...args);
    };
  };
  return Object.fromEntries(names.map((name) => [name, wrap(name)]));
}
