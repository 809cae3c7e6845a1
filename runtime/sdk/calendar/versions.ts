// spoolway/sdk/calendar/versions: a collection on a server whose items have versions (etags): which are new, changed or gone since the last look.

/** Of a collection, as JSON in the state. */
export interface KnownVersions {
  /** The server's word for where we are. */
  token: string;
  versions: Record<string, string>;
}

export interface Version {
  path: string;
  /** The path as the server writes it. */
  href: string;
  etag: string;
}

/** What a server answered: everything that there is (`isWhole`), or what changed since our token. */
export interface Look {
  token: string;
  isWhole: boolean;
  there: Version[];
  /** Paths that it says are gone. */
  gone: string[];
}

/** What of it is new to us. */
export function newsIn(
  { there, gone, isWhole }: Look,
  known: KnownVersions["versions"],
): { changed: Version[]; gone: string[] } {
  const paths = new Set(there.map(({ path }) => path));
  const missing = isWhole ? Object.keys(known).filter((path) => !paths.has(path)) : gone;
  return {
    changed: there.filter(({ path, etag }) => known[path] !== etag),
    gone: missing.filter((path) => known[path] !== undefined),
  };
}

/** What is known once all of this is dealt with. */
export function knownAfter(
  known: KnownVersions | undefined,
  token: string,
  changed: readonly Version[],
  gone: readonly string[],
): KnownVersions {
  const versions = {
    ...known?.versions,
    ...Object.fromEntries(changed.map(({ path, etag }) => [path, etag])),
  };
  for (const path of gone) delete versions[path];
  return { token, versions };
}
