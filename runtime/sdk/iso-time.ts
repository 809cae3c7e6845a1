// spoolway/sdk/iso-time: a platform's time, which its users may have made up, as an event has it (RFC 3339, UTC).

const endOf9999Ms = Date.UTC(10_000, 0);

/** Of milliseconds since 1970; undefined for what is no time between then and the year 9999. */
export function isoTime(ms: unknown): string | undefined {
  return typeof ms === "number" && ms >= 0 && ms < endOf9999Ms ? new Date(ms).toISOString() : undefined;
}
