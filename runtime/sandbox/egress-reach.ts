// From "host:port" to a connection with an address that was checked:
//
//   asked ──granted?──▶ resolved, once ──every address checked──▶ connected to one of those that may be, by its number
//
// There is no second look-up that could answer something else (DNS rebinding), and nothing else of the proxy opens a connection.
import { lookup } from "node:dns/promises";
import { connect, type Socket } from "node:net";
import PQueue from "p-queue";
import type { Allowlist } from "./allowlist.ts";
import { hostText, parseTarget, type Target, TargetError, targetText } from "./targets.ts";

/** Every address of a name. Rejects when there is none. */
export type Resolve = (name: string) => Promise<string[]>;

export const refusalCodes = [
  "bad_request",
  "not_granted",
  "private_address",
  "unresolved",
  "unreachable",
  "busy",
] as const;
export type RefusalCode = (typeof refusalCodes)[number];

/** Why a connection is not made, for the one who asked (an HTTP status, and words with what to do) and for the log. */
export class Refusal extends Error {
  readonly code: RefusalCode;
  readonly status: number;
  readonly hint: string;
  readonly address: string | undefined;

  constructor(code: RefusalCode, status: number, message: string, hint: string, address?: string) {
    super(message);
    this.code = code;
    this.status = status;
    this.hint = hint;
    this.address = address;
  }
}

export interface Reached {
  socket: Socket;
  address: string;
}

const attemptMs = 6000;
const maxAttempts = 6;
const resolveMs = 10_000;

/** getaddrinfo takes a thread of the pool that the spool's files need, too: a connector must not be able to take them all. */
const lookups = new PQueue({ concurrency: 2 });

/** As any program of this machine would resolve it, with /etc/hosts. */
export const systemResolve: Resolve = async (name) =>
  (await lookups.add(() => lookup(name, { all: true, order: "verbatim" }))).map(({ address }) => address);

/** The target as it was asked for. Throws Refusal. */
export function readTarget(text: string, defaultPort?: number): Target {
  try {
    return parseTarget(text, defaultPort);
  } catch (error) {
    if (!(error instanceof TargetError)) throw error;
    throw new Refusal("bad_request", 400, error.message, error.hint);
  }
}

/** The addresses that may be connected to. Throws Refusal. */
export async function permitted(target: Target, allowlist: Allowlist, resolve: Resolve): Promise<string[]> {
  const { host, port } = target;
  const asked = targetText(target);
  if (!allowlist.covers(host, port)) {
    const hint = `Add it to this connector's \`network\` in config/policy.yml: ["${asked}"]`;
    throw new Refusal("not_granted", 403, `${asked} is not granted`, hint);
  }
  const addresses = host.kind === "address" ? [host.address] : await resolved(host.name, resolve);
  const refused = new Map(
    addresses.flatMap((address) => {
      const why = allowlist.whyNot(address, port);
      return why === undefined ? [] : [[address, why] as const];
    }),
  );
  const allowed = addresses.filter((address) => !refused.has(address));
  if (allowed.length > 0) return allowed;
  const [[address, why] = ["", ""]] = refused;
  const stands =
    host.kind === "address" ? `${asked} is` : `${hostText(host)} stands for ${address}, which is`;
  const shown = address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
  const hint = `If the connector shall reach it, grant the address in config/policy.yml, too: ["${shown}"]`;
  throw new Refusal("private_address", 403, `${stands} not public: ${why}`, hint, address);
}

async function resolved(name: string, resolve: Resolve): Promise<string[]> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`no answer within ${resolveMs / 1000} s`)), resolveMs);
  try {
    const addresses = [...new Set(await Promise.race([resolve(name), late.promise]))];
    if (addresses.length === 0) throw new Error("it has no address");
    return addresses;
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? (error as Error).message;
    throw new Refusal(
      "unresolved",
      502,
      `${name} could not be resolved: ${why}`,
      "Check the name and this machine's name server.",
    );
  } finally {
    clearTimeout(timer);
  }
}

/** Connects to the first address that answers; `signal` aborts when the one who asked is gone. Throws Refusal. */
export async function reach(
  addresses: readonly string[],
  target: Target,
  signal: AbortSignal,
): Promise<Reached> {
  let last: Error | undefined;
  for (const address of addresses.slice(0, maxAttempts)) {
    if (signal.aborted) break;
    try {
      return { socket: await connected(address, target.port, signal), address };
    } catch (error) {
      last = error as Error;
    }
  }
  const why =
    (last as NodeJS.ErrnoException | undefined)?.code ?? last?.message ?? "nobody waits for it any more";
  const [address] = addresses;
  const hint = "Check that the server runs and can be reached from this machine.";
  throw new Refusal(
    "unreachable",
    502,
    `${targetText(target)} (${address}) cannot be reached: ${why}`,
    hint,
    address,
  );
}

async function connected(host: string, port: number, signal: AbortSignal): Promise<Socket> {
  const socket = connect({ host, port, allowHalfOpen: true, signal });
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const late = setTimeout(() => socket.destroy(new Error("no answer in time")), attemptMs);
  socket.once("connect", () => resolve(socket));
  socket.once("error", reject);
  try {
    return await promise;
  } finally {
    clearTimeout(late);
    socket.off("error", reject);
  }
}
