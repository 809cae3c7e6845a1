// The names in inbox/, in order, in bounded memory with any number of files: page by page, each page one pass over the folder.
import { opendir } from "node:fs/promises";
import { parseInboxName } from "../../spool/names.ts";
import { errnoOf } from "../../errors.ts";

/** So many names are kept at once; a name takes about 100 bytes of memory. */
const pageNames = 50_000;

export interface Page {
  /** In order. */
  names: string[];
  /** Whether there are more in this direction. */
  more: boolean;
}

/** The first names after `after` ("" for the start). */
export function nextPage(folder: string, after: string, size = pageNames): Promise<Page> {
  return page(
    folder,
    (name) => name > after,
    (a, b) => (a < b ? -1 : 1),
    size,
  );
}

/** The last names before `before` (undefined for the end), the youngest first. */
export function pageBefore(folder: string, before: string | undefined, size = pageNames): Promise<Page> {
  return page(
    folder,
    (name) => before === undefined || name < before,
    (a, b) => (a > b ? -1 : 1),
    size,
  );
}

async function page(
  folder: string,
  accept: (name: string) => boolean,
  order: (a: string, b: string) => number,
  size: number,
): Promise<Page> {
  let names: string[] = [];
  let more = false;
  let last: string | undefined; // of a full page: what comes after it need not be kept
  const shrink = (): void => {
    names.sort(order);
    more ||= names.length > size;
    names = names.slice(0, size);
    last = names.length === size ? names.at(-1) : undefined;
  };
  try {
    for await (const { name } of await opendir(folder, { bufferSize: 1024 })) {
      if (!accept(name)) continue;
      const isKept = last === undefined || order(name, last) < 0;
      if ((!isKept && more) || parseInboxName(name) === undefined) continue;
      more ||= !isKept;
      if (isKept) names.push(name);
      if (names.length >= 2 * size + 100) shrink();
    }
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error; // no bus has run here yet
  }
  shrink();
  return { names, more };
}
