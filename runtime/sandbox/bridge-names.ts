// How the inside of a sandbox finds its way out: which addresses, ports and variables stand for what. Pure: bwrap.ts makes it so, bridge.ts and the guest's programs use it.
import { guestRun } from "./bwrap.ts";
import type { Grants } from "./grants.ts";
import { parsePattern, parseTarget, type Target, targetText } from "./targets.ts";

/** The guest has a network of its own, with nothing in it: no port of these is taken by anybody. */
export const proxyPort = 3128;
export const routePort = 3129;

export const egressSocket = (run: string): string => `${run}/egress.sock`;
export const listenSocket = (run: string, port: number): string => `${run}/listen-${port}.sock`;

/** A target, and where inside the sandbox a connection to it can be opened as if it were there. */
export interface Local {
  target: Target;
  address: string;
}

/** What bridge.ts has to know, as it travels in the environment. */
export interface BridgePlan {
  /** "host:port". */
  targets: string[];
  /** Ports. */
  listen: number[];
}

/** Every target without a wildcard: of what is granted, and of what the manifest asks for. */
export function bridgePlan({ network, targets, listen }: Grants): BridgePlan {
  const exact = network.map((text) => parsePattern(text).target).filter((target) => target !== undefined);
  const all = new Set([...exact.map(targetText), ...targets]);
  return { targets: [...all], listen: listen.map((text) => parseTarget(text).port) };
}

/** Each name has an address of its own in 127.66.0.0/16; loopback is itself; for other addresses there is no such place: programs reach them through the proxy. */
export function locals({ targets }: Pick<BridgePlan, "targets">): Local[] {
  const names = new Map<string, string>();
  return targets
    .map((text) => parseTarget(text))
    .flatMap((target) => {
      const { host } = target;
      if (host.kind === "address") return isLoopback(host.address) ? [{ target, address: host.address }] : [];
      const at = names.size;
      const address = names.get(host.name) ?? `127.66.${at >> 8}.${at & 255}`;
      names.set(host.name, address);
      return [{ target, address }];
    });
}

/** For /etc/hosts. */
export function hostLines(grants: Grants): string[] {
  const lines = locals(bridgePlan(grants)).flatMap(({ target: { host }, address }) =>
    host.kind === "name" ? [`${address} ${host.name}`] : [],
  );
  return [...new Set(lines)];
}

const planVariable = "SPOOLWAY_BRIDGE";

/** For every process of the guest. What it opens on its own loopback does not go through the proxy; what is granted of the machine's loopback is there as well. */
export function proxyEnvironment(grants: Grants): Record<string, string> {
  const proxy = `http://127.0.0.1:${proxyPort}`;
  const direct = "localhost,127.0.0.1,::1";
  const both = { HTTP_PROXY: proxy, HTTPS_PROXY: proxy, ALL_PROXY: proxy, NO_PROXY: direct };
  const lower = Object.fromEntries(Object.entries(both).map(([name, value]) => [name.toLowerCase(), value]));
  return { ...both, ...lower, NODE_USE_ENV_PROXY: "1", [planVariable]: JSON.stringify(bridgePlan(grants)) };
}

/** Names of the variables that a program which the guest starts needs as well. */
export const proxyVariables: readonly string[] = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"]
  .flatMap((name) => [name, name.toLowerCase()])
  .concat("NODE_USE_ENV_PROXY");

/** As it was put into this process's environment; undefined outside of a sandbox. */
export function planOfEnvironment(env: NodeJS.ProcessEnv): BridgePlan | undefined {
  const text = env[planVariable];
  return text === undefined ? undefined : (JSON.parse(text) as BridgePlan);
}

export const guestSockets = {
  egress: egressSocket(guestRun),
  listen: (port: number): string => listenSocket(guestRun, port),
};

const isLoopback = (address: string): boolean => address.startsWith("127.") || address === "::1";
