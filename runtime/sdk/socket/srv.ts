// spoolway/sdk/socket/srv: which server serves a domain, by its DNS SRV records (RFC 2782). Each call gives the next one in the order of their priorities, so that a new try
// after a failure is a try of another server.
import type { SrvRecord } from "node:dns";
import { resolveSrv } from "node:dns/promises";

const tries = new Map<string, number>();

export interface Service {
  server: string;
  port?: number;
}

/** `service` is "_xmpp-client._tcp". A domain without such a record, or one that cannot be looked up now, is its own server, on the usual port. */
export async function serverOf(
  service: string,
  domain: string,
  lookUp: (name: string) => Promise<SrvRecord[]> = resolveSrv,
): Promise<Service> {
  const name = `${service}.${domain}`;
  const records = await lookUp(name).catch(() => []); // no record is an error, too; what is really wrong shows when we connect
  // Within a priority: the heavier the likelier, which spreads clients.
  const order = records
    .map((record) => ({ ...record, draw: Math.random() ** (1 / Math.max(record.weight, 0.01)) }))
    .sort((a, b) => a.priority - b.priority || b.draw - a.draw);
  const at = tries.get(name) ?? 0;
  tries.set(name, at + 1);
  const chosen = order[at % Math.max(order.length, 1)];
  return chosen === undefined ? { server: domain } : { server: chosen.name, port: chosen.port };
}
