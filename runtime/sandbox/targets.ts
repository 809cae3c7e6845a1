// Hosts and ports: what a connector asks for ("host:port") and what an operator grants (patterns of it). One spelling for each host, and nothing that another
// program could take for a different one: 2130706433, 0x7f.1 and 127.1 are all 127.0.0.1 to some.
//
//   irc.example.org:6697    that name                 10.0.0.5:25         that address
//   *.example.org:443       every name below it       192.168.0.0/16:*    those addresses, any port
//   *:443                   every name and every public address           [fd00::/8]:443
import { BlockList, isIPv4, isIPv6, SocketAddress } from "node:net";
import { domainToASCII } from "node:url";

export type Host =
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "address"; readonly address: string; readonly family: "ipv4" | "ipv6" };

export interface Target {
  readonly host: Host;
  readonly port: number;
}

export interface Pattern {
  /** In its one spelling. */
  readonly text: string;
  covers(host: Host, port: number): boolean;
  /** The one target that it stands for; undefined where it stands for several. */
  readonly target: Target | undefined;
  /** It names addresses, and so grants them although they may be private. */
  readonly explicit: boolean;
}

/** What cannot be read, and what to do about it. */
export class TargetError extends Error {
  readonly hint: string;
  constructor(message: string, hint: string) {
    super(message);
    this.hint = hint;
  }
}

const maxNameChars = 253;
const label = "[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?";
const nameForm = new RegExp(`^${label}(?:\\.${label})*$`);
const loopback: Host = { kind: "address", address: "127.0.0.1", family: "ipv4" };

/** A host as it is written in a URL: an IPv6 address stands in brackets. Throws TargetError. */
export function parseHost(text: string): Host {
  const inner = /^\[(.*)\]$/.exec(text)?.[1];
  if (inner !== undefined) {
    if (!isIPv6(inner) || inner.includes("%"))
      throw noHost(text, "Between brackets stands an IPv6 address without a zone.");
    return { kind: "address", address: canonical6(inner), family: "ipv6" };
  }
  if (isIPv4(text)) return { kind: "address", address: text, family: "ipv4" };
  if (isIPv6(text)) throw noHost(text, `Put it in brackets: [${text}]`);
  if (/[^\x21-\x7e]/.test(text)) throw noHost(text, "Write it in its ASCII form (xn--…).");
  const name = text.toLowerCase().replace(/\.$/, "");
  if (/(^|\.)(\d+|0x[0-9a-f]*)$/.test(name))
    throw noHost(
      text,
      "Write an IPv4 address as four decimal numbers without leading zeros, e.g. 192.0.2.7.",
    );
  if (name.length > maxNameChars || !nameForm.test(name))
    throw noHost(text, "A host is a name or an address.");
  // RFC 6761: no resolver has a say in it.
  if (name === "localhost" || name.endsWith(".localhost")) return loopback;
  return { kind: "name", name };
}

/** "host:port". `defaultPort` where there may be none. Throws TargetError. */
export function parseTarget(text: string, defaultPort?: number): Target {
  const [, host, port] = /^(\[[^\]]*\]|[^:[\]]*)(?::(.*))?$/s.exec(text) ?? [];
  if (host === undefined) throw noHost(text, "Write host:port; an IPv6 address in brackets.");
  if (port === undefined && defaultPort !== undefined) return { host: parseHost(host), port: defaultPort };
  return { host: parseHost(host), port: parsePort(port ?? "", text) };
}

export function targetText({ host, port }: Target): string {
  return `${hostText(host)}:${port}`;
}

export function hostText(host: Host): string {
  if (host.kind === "name") return host.name;
  return host.family === "ipv6" ? `[${host.address}]` : host.address;
}

/** What stands in `network:` of config/policy.yml. Throws TargetError. */
export function parsePattern(text: string): Pattern {
  const [, hostPart = "", portPart] = /^(\[[^\]]*\]|[^:[\]]*)(?::(.*))?$/s.exec(text) ?? [];
  if (hostPart === "" || portPart === undefined)
    throw new TargetError(
      `${quoted(text)} is not host:port`,
      "Write e.g. irc.example.org:6697, or host:* for every port.",
    );
  const port = portPart === "*" ? undefined : parsePort(portPart, text);
  const shownPort = portPart === "*" ? "*" : String(port);
  const fits = (asked: number): boolean => port === undefined || asked === port;
  if (hostPart === "*") {
    return {
      text: `*:${shownPort}`,
      covers: (_host, asked) => fits(asked),
      target: undefined,
      explicit: false,
    };
  }
  if (hostPart.includes("/")) return networkPattern(hostPart, shownPort, fits);
  if (hostPart.startsWith("*.")) {
    const below = parseHost(ascii(hostPart.slice(2)));
    if (below.kind !== "name")
      throw noHost(hostPart, "Behind *. stands a name. Addresses are granted as a network: 192.168.0.0/16");
    return {
      text: `*.${below.name}:${shownPort}`,
      covers: (host, asked) => fits(asked) && host.kind === "name" && host.name.endsWith(`.${below.name}`),
      target: undefined,
      explicit: false,
    };
  }
  const own = parseHost(ascii(hostPart));
  return {
    text: `${hostText(own)}:${shownPort}`,
    covers: (host, asked) => fits(asked) && hostText(host) === hostText(own),
    target: port === undefined ? undefined : { host: own, port },
    explicit: own.kind === "address",
  };
}

function networkPattern(text: string, shownPort: string, fits: (port: number) => boolean): Pattern {
  const [, six, four, bitsText = ""] = /^(?:\[([0-9a-fA-F:.]+)|([0-9.]+))\/(\d{1,3})\]?$/.exec(text) ?? [];
  const family = six !== undefined ? "ipv6" : "ipv4";
  const address = six ?? four ?? "";
  const bits = Number(bitsText);
  const isNetwork =
    family === "ipv6" ? isIPv6(address) && bits <= 128 && text.endsWith("]") : isIPv4(address) && bits <= 32;
  if (!isNetwork) throw noHost(text, "Write a network as 192.168.0.0/16 or [fd00::/8].");
  if (hasBitsBeyond(address, bits))
    throw noHost(text, `It has bits set beyond the first ${bits}: write the network's first address.`);
  const list = new BlockList();
  list.addSubnet(address, bits, family);
  const shown = family === "ipv6" ? `[${canonical6(address)}/${bits}]` : `${address}/${bits}`;
  return {
    text: `${shown}:${shownPort}`,
    covers: (host, port) =>
      fits(port) && host.kind === "address" && host.family === family && list.check(host.address, family),
    target: undefined,
    explicit: true,
  };
}

function parsePort(text: string, whole: string): number {
  const port = Number(text);
  if (!/^[1-9]\d{0,4}$/.test(text) || port > 65_535)
    throw new TargetError(
      `${quoted(whole)}: a port is a number from 1 to 65535`,
      "Write e.g. irc.example.org:6697",
    );
  return port;
}

/** A name as people write it: münchen.example. */
function ascii(name: string): string {
  return /[^\x00-\x7f]/.test(name) ? domainToASCII(name) || name : name;
}

const canonical6 = (address: string): string => new SocketAddress({ address, family: "ipv6" }).address;

function hasBitsBeyond(address: string, bits: number): boolean {
  return addressBytes(address).some((byte, at) => {
    const kept = Math.min(8, Math.max(0, bits - at * 8));
    return (byte & (0xff >> kept)) !== 0;
  });
}

/** The 4 or 16 bytes of an address that isIPv4 or isIPv6 accepts. */
export function addressBytes(address: string): number[] {
  if (isIPv4(address)) return address.split(".").map(Number);
  const [head = "", tail] = address.split("::");
  const words = (part: string): number[] =>
    part === ""
      ? []
      : part.split(":").flatMap((word) => {
          if (word.includes(".")) return addressBytes(word);
          const value = Number.parseInt(word, 16);
          return [value >> 8, value & 0xff];
        });
  const [first, last] = [words(head), words(tail ?? "")];
  return [...first, ...Array.from({ length: 16 - first.length - last.length }, () => 0), ...last];
}

const quoted = (text: string): string => JSON.stringify(text.length > 80 ? `${text.slice(0, 79)}…` : text);
const noHost = (text: string, hint: string): TargetError =>
  new TargetError(`${quoted(text)} is no host`, hint);
