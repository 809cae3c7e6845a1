// What a connector's grants say about one connection: first about the name that it asks for, then about every address that the name stands for.
import { isIPv6 } from "node:net";
import { whyNotPublic } from "./addresses.ts";
import { parseHost, parsePattern, type Host, type Pattern } from "./targets.ts";

export class Allowlist {
  readonly #patterns: Pattern[];

  /** The `network` of Grants. Throws TargetError. */
  constructor(network: readonly string[]) {
    this.#patterns = network.map(parsePattern);
  }

  /** Whether it may ask for this at all. */
  covers(host: Host, port: number): boolean {
    return this.#patterns.some((pattern) => pattern.covers(host, port));
  }

  /** Why it must not connect to the address although it may ask for the name; undefined when it may. A wildcard or a name grants no address of its own. */
  whyNot(address: string, port: number): string | undefined {
    const why = whyNotPublic(address);
    if (why === undefined || why === "no address") return why;
    const host = parseHost(isIPv6(address) ? `[${address}]` : address);
    return this.#patterns.some((pattern) => pattern.explicit && pattern.covers(host, port)) ? undefined : why;
  }
}
