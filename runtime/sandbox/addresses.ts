// Which addresses are of the public internet. Everything else (private networks, this machine, the metadata services of clouds, addresses that stand for others)
// is reached by a sandboxed connector only where config/policy.yml names that address.
//
// The blocks are those of IANA's special-purpose registries (RFC 6890 and its updates) that are not globally reachable, as wholes: the few anycast addresses in
// them are left out. IPv6 is turned around: only 2000::/3 is given out to the public at all (RFC 4291), so the rest is refused even where no block names it.
import { BlockList, isIP } from "node:net";
import { networkInterfaces } from "node:os";

type Block = readonly [cidr: string, what: string];

const blocks4: readonly Block[] = [
  ["0.0.0.0/8", "this network"],
  ["10.0.0.0/8", "private"],
  ["100.64.0.0/10", "shared by a provider's customers (CGNAT)"],
  ["127.0.0.0/8", "loopback"],
  ["169.254.0.0/16", "link-local, with the metadata services of clouds"],
  ["172.16.0.0/12", "private"],
  ["192.0.0.0/24", "for protocols"],
  ["192.0.2.0/24", "for documentation"],
  ["192.88.99.0/24", "a relay of 6to4"],
  ["192.168.0.0/16", "private"],
  ["198.18.0.0/15", "for benchmarks"],
  ["198.51.100.0/24", "for documentation"],
  ["203.0.113.0/24", "for documentation"],
  ["224.0.0.0/4", "multicast"],
  ["240.0.0.0/4", "reserved"],
  // In no registry: the platform service of Azure, which answers its virtual machines on a public address.
  ["168.63.129.16/32", "a metadata service"],
];

const blocks6: readonly Block[] = [
  ["::/128", "unspecified"],
  ["::1/128", "loopback"],
  ["::ffff:0:0/96", "an IPv4 address in another form"],
  ["::ffff:0:0:0/96", "an IPv4 address in another form"],
  ["64:ff9b::/96", "an IPv4 address in another form (NAT64)"],
  ["64:ff9b:1::/48", "an IPv4 address in another form (NAT64)"],
  ["100::/64", "discarded"],
  ["100:0:0:1::/64", "a dummy"],
  ["2001::/32", "an IPv4 address in another form (Teredo)"],
  ["2001::/23", "for protocols"],
  ["2001:db8::/32", "for documentation"],
  ["2002::/16", "an IPv4 address in another form (6to4)"],
  ["3fff::/20", "for documentation"],
  ["5f00::/16", "a segment of a route"],
  ["fc00::/7", "private"],
  ["fe80::/10", "link-local"],
  ["fec0::/10", "private (site-local)"],
  ["ff00::/8", "multicast"],
  ["::/96", "an IPv4 address in another form"],
];

interface Class {
  list: BlockList;
  what: string;
}

// A list for each family: BlockList takes IPv4 and its mapped form for the same, so ::ffff:0:0/96 would match every IPv4 address.
const classes4 = blocks4.map(([cidr, what]) => classOf(cidr, "ipv4", what));
const classes6 = blocks6.map(([cidr, what]) => classOf(cidr, "ipv6", what));
const unicast6 = classOf("2000::/3", "ipv6", "public");

function classOf(cidr: string, family: "ipv4" | "ipv6", what: string): Class {
  const [address = "", bits] = cidr.split("/");
  const list = new BlockList();
  list.addSubnet(address, Number(bits), family);
  return { list, what };
}

/** Why the address is not of the public internet; undefined where it is. What is no address at all is not either. */
export function whyNotPublic(address: string, interfaces = networkInterfaces()): string | undefined {
  const family = isIP(address);
  if (family === 0 || address.includes("%")) return "no address";
  if (family === 4) {
    return classes4.find(({ list }) => list.check(address, "ipv4"))?.what ?? ownAddress(address, interfaces);
  }
  const found = classes6.find(({ list }) => list.check(address, "ipv6"));
  if (found !== undefined) return found.what;
  return unicast6.list.check(address, "ipv6") ? ownAddress(address, interfaces) : "reserved";
}

/** Services of this machine that only a firewall keeps from others would be open to whoever is already behind it. */
function ownAddress(address: string, interfaces: ReturnType<typeof networkInterfaces>): string | undefined {
  const own = Object.values(interfaces).flatMap((all) => all ?? []);
  const list = new BlockList();
  for (const one of own)
    list.addAddress(one.address.replace(/%.*$/, ""), one.family === "IPv6" ? "ipv6" : "ipv4");
  return list.check(address, isIP(address) === 6 ? "ipv6" : "ipv4") ? "this machine's own" : undefined;
}
