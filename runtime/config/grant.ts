// What a connector needs against what it was granted: either its Grants, or what an operator has to add to config/policy.yml, ready to copy.
import { Allowlist } from "../sandbox/allowlist.ts";
import type { Grants } from "../sandbox/grants.ts";
import { parseTarget } from "../sandbox/targets.ts";
import { isWithin } from "./granted-paths.ts";
import type { ConnectorType } from "./model.ts";
import { type Needs, needsOf } from "./needs.ts";
import { policyFile, type PolicyEntry } from "./policy.ts";

export interface Wanted {
  name: string;
  type: ConnectorType;
  config: Readonly<Record<string, unknown>>;
  home: string;
}

export type Granted = { grants: Grants } | { message: string; hint: string };

/** For a connector that runs in the sandbox. */
export async function grantsFor({ name, type, config, home }: Wanted, entry: PolicyEntry): Promise<Granted> {
  const { unconfined } = type.manifest.capabilities ?? {};
  if (unconfined !== undefined) {
    const message = `the type ${type.type} cannot run in the sandbox: ${unconfined.charAt(0).toLowerCase()}${unconfined.slice(1)}`;
    return {
      message: message.replace(/\.$/, ""),
      hint: "Leave out runtime.sandbox: it then runs unconfined.",
    };
  }
  const needs = await needsOf(type, config, home);
  const [impossible] = needs.impossible;
  if (impossible !== undefined)
    return { message: `in the sandbox: ${impossible.message}`, hint: impossible.hint };
  const missing = missingOf(needs, entry);
  const lacking = keys.filter((key) => missing[key].length > 0);
  if (lacking.length > 0) {
    const what = lacking.map((key) => `${key} ${missing[key].join(", ")}`).join("; ");
    return {
      message: `it runs in the sandbox and needs what is not granted: ${what}`,
      hint: toCopy(name, entry, missing),
    };
  }
  // A port is opened where the connector listens, not wherever it might; everything else that was granted is there for it.
  return {
    grants: {
      network: entry.network,
      targets: needs.network,
      listen: needs.listen,
      read: entry.read,
      write: entry.write,
    },
  };
}

const keys = ["network", "listen", "read", "write"] as const;

function missingOf(needs: Needs, entry: PolicyEntry): PolicyEntry {
  const allowlist = new Allowlist(entry.network);
  const writable = (path: string): boolean => entry.write.some((granted) => isWithin(path, granted));
  return {
    network: needs.network.filter((text) => {
      const { host, port } = parseTarget(text);
      const covered = allowlist.covers(host, port);
      return !covered || (host.kind === "address" && allowlist.whyNot(host.address, port) !== undefined);
    }),
    listen: needs.listen.filter((text) => !entry.listen.includes(text)),
    read: needs.read.filter(
      (path) => !writable(path) && !entry.read.some((granted) => isWithin(path, granted)),
    ),
    write: needs.write.filter((path) => !writable(path)),
  };
}

/** The whole entry as it has to be, with what is there already. */
function toCopy(name: string, entry: PolicyEntry, missing: PolicyEntry): string {
  const lines = keys.flatMap((key) => {
    const all = [...new Set([...entry[key], ...missing[key]])];
    return all.length === 0 ? [] : [`    ${key}: ${JSON.stringify(all).replaceAll('","', '", "')}`];
  });
  return [`Let ${policyFile} say:`, "connectors:", `  ${name}:`, ...lines].join("\n");
}
