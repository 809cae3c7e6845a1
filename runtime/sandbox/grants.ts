// What the operator lets a sandboxed connector do: config/policy.yml, read and checked by runtime/config/policy.ts, held by bwrap.ts (paths), egress.ts (network) and
// listen.ts (ports). Plain JSON: it crosses the IPC channel as a part of ConnectorConfig. What is not in it is refused.

export interface Grants {
  /** Where it may connect to: patterns as targets.ts reads them: irc.example.org:6697, *.example.org:443, 10.0.0.5:25, 192.168.0.0/16:*, [::1]:80. */
  readonly network: readonly string[];
  /** What of that its manifest asks for, without wildcards ("host:port"): inside the sandbox these names and ports are there for programs that know no proxy. */
  readonly targets: readonly string[];
  /** Where others may connect to it: "address:port" of this machine, e.g. 127.0.0.1:8787, 0.0.0.0:8787, [::1]:8787. Inside the sandbox it listens on the same port. */
  readonly listen: readonly string[];
  /** Absolute paths that it sees at the same place, read-only, folders with all that is in them. */
  readonly read: readonly string[];
  /** The same, and it may change them. */
  readonly write: readonly string[];
}

export const noGrants: Grants = Object.freeze({ network: [], targets: [], listen: [], read: [], write: [] });
