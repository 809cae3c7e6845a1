// Several spools in one process, each on a file system of its own: a call goes to the one whose spool its path lies in, or whose it has a descriptor of. So cases can
// wait side by side.
import { type FileSystem, realFileSystem, useFileSystem } from "../../runtime/spool/fs.ts";

const byRoot = new Map<string, FileSystem>();
const byFd = new Map<number, FileSystem>();

/** Calls below `root` go to `fs` from now on, until the returned function is called. */
export function mount(root: string, fs: FileSystem): () => void {
  byRoot.set(root, fs);
  return () => void byRoot.delete(root);
}

/** Puts the router under the spool, for the whole process; returns what takes it away. */
export const useRouter = (): (() => void) => useFileSystem(router);

function fileSystemOf(target: unknown): FileSystem {
  if (typeof target === "number") return byFd.get(target) ?? realFileSystem;
  const path = String(target);
  for (const [root, fs] of byRoot) if (path === root || path.startsWith(`${root}/`)) return fs;
  return realFileSystem;
}

type Name = keyof FileSystem;

/** Whatever is called has a path or a descriptor as its first argument. */
const router = new Proxy(realFileSystem, {
  get: (real, name: Name) => {
    if (typeof real[name] !== "function") return real[name];
    return (target: unknown, ...rest: unknown[]): unknown => {
      const fs = fileSystemOf(target);
      // Also where closing reports an error.
      if (name === "closeSync") byFd.delete(target as number);
      const result = (fs[name] as (...args: unknown[]) => unknown)(target, ...rest);
      if (name === "openSync") byFd.set(result as number, fs);
      return result;
    };
  },
});
