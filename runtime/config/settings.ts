// Durations, rates and limits: what people write (snake_case, "10s", "5/s") → what the runtime uses (ms).
//
//   config/defaults.yml (Spoolway's, then the home's) ◁ the type's manifest ◁ the entry's `runtime:`
import type { RuntimeSettings, SupervisorDefaults } from "../../schema/types.ts";
import { SpoolwayError } from "../errors.ts";
import { parseDuration } from "../timing.ts";
import type { MapNode } from "./tree.ts";
import type { ConnectorSettings, SupervisorSettings } from "./model.ts";
import { findNode } from "./pointer.ts";
import type { Finding } from "./source.ts";

/** The later one wins, key by key. */
export function overlay(base: RuntimeSettings, over: RuntimeSettings = {}): RuntimeSettings {
  const retry = { ...base.retry, ...over.retry };
  return { ...base, ...over, ...(Object.keys(retry).length > 0 ? { retry } : {}) };
}

/** setTimeout takes 2^31-1 ms at most and fires at once for more. */
const maxTimer = 24 * 86_400_000;
/** Ages, which no timer waits for. */
const ages = new Set(["sent_keep", "seen_keep"]);
/** Waiting for nothing is meant by 0. */
const mayBeZero = new Set(["settle", "drain", "kill_after", "shutdown"]);

/** What the schemas cannot say: durations that would spin or overflow a timer, a rate of nothing. `node` holds the keys. */
export function checkRanges(node: MapNode, label: string): Finding[] {
  const findings: Finding[] = [];
  for (const [key, { node: value }] of node.entries) {
    if (value.kind === "map") findings.push(...checkRanges(value, `${label}.${key}`));
    if (value.kind !== "scalar" || typeof value.value !== "string") continue;
    const shown = value.inserted ? `what ${value.inserted.labels.join(" and ")} stands for` : value.value;
    const found = `\`${label}.${key}\` is ${shown}`;
    if (key === "rate") {
      if (/^0+\//.test(value.value))
        findings.push({
          offset: value.start,
          message: `${found}: nothing would ever be sent`,
          hint: "Write at least 1/h.",
        });
    } else if (/^[0-9.]+(ms|s|m|h|d)$/.test(value.value)) {
      const ms = parseDuration(value.value);
      if (ms < 1 && !mayBeZero.has(key))
        findings.push({ offset: value.start, message: `${found}, expected at least 1ms` });
      if (ms > maxTimer && !ages.has(key))
        findings.push({ offset: value.start, message: `${found}, expected at most 24d` });
    }
  }
  return findings;
}

/** base above max: the backoff would be shorter than its first step. `settings` are the merged ones, `node` the entry. */
export function checkRetry(settings: ConnectorSettings, node: MapNode): Finding[] {
  if (settings.retryBaseMs <= settings.retryMaxMs) return [];
  const { node: at } = findNode(node, "/runtime/retry");
  const message = `\`runtime.retry.base\` (${settings.retryBaseMs} ms) is more than \`max\` (${settings.retryMaxMs} ms)`;
  return [{ offset: at.start, message, hint: "Raise max or lower base." }];
}

/** Complete raw settings → the runtime's. Throws config_invalid when one is missing. */
export function connectorSettings(raw: RuntimeSettings): ConnectorSettings {
  const need = needIn("connector", raw);
  const retry = needIn("connector.retry", raw.retry ?? {});
  return {
    enabled: need("enabled"),
    concurrency: need("concurrency"),
    rate: raw.rate === undefined ? null : parseRate(raw.rate),
    retryAttempts: retry("attempts"),
    retryBaseMs: parseDuration(retry("base")),
    retryMaxMs: parseDuration(retry("max")),
    onUncertain: need("on_uncertain"),
    memoryMb: need("memory_mb"),
    sendTimeoutMs: parseDuration(need("send_timeout")),
    connectTimeoutMs: parseDuration(need("connect_timeout")),
    probeEveryMs: parseDuration(need("probe_every")),
    probeTimeoutMs: parseDuration(need("probe_timeout")),
    syncEveryMs: parseDuration(need("sync_every")),
    syncLimit: need("sync_limit"),
    settleMs: parseDuration(need("settle")),
    maxMessageBytes: need("max_message_bytes"),
    maxAttachmentBytes: need("max_attachment_bytes"),
    drainMs: parseDuration(need("drain")),
    sentKeepMs: parseDuration(need("sent_keep")),
    seenKeepMs: parseDuration(need("seen_keep")),
    sandbox: need("sandbox"),
    minFreeBytes: need("min_free_bytes"),
    minFreeInodes: need("min_free_inodes"),
    reserveBytes: need("reserve_bytes"),
  };
}

/** As connectorSettings, for the supervisor. */
export function supervisorSettings(raw: SupervisorDefaults): SupervisorSettings {
  const need = needIn("supervisor", raw);
  return {
    backoffBaseMs: parseDuration(need("backoff_base")),
    backoffMaxMs: parseDuration(need("backoff_max")),
    healthyAfterMs: parseDuration(need("healthy_after")),
    parkCrashes: need("park_crashes"),
    parkWithinMs: parseDuration(need("park_within")),
    parkForMs: parseDuration(need("park_for")),
    watchdogMs: parseDuration(need("watchdog")),
    startGraceMs: parseDuration(need("start_grace")),
    killAfterMs: parseDuration(need("kill_after")),
    shutdownMs: parseDuration(need("shutdown")),
    logLineBytes: need("log_line_bytes"),
    logLinesPerS: need("log_lines_per_s"),
  };
}

/** "5/s" → {count: 5, perMs: 1000} */
export function parseRate(text: string): { count: number; perMs: number } {
  const [count, unit] = text.split("/");
  return { count: Number(count), perMs: parseDuration(`1${unit}`) };
}

function needIn<T extends object>(where: string, raw: T): <K extends keyof T>(key: K) => NonNullable<T[K]> {
  return (key) => {
    const value = raw[key];
    if (value === undefined || value === null) {
      throw new SpoolwayError(
        "config_invalid",
        `\`${where}.${String(key)}\` is missing in config/defaults.yml`,
        {
          hint: "Every key of Spoolway's own config/defaults.yml is needed: put it back.",
        },
      );
    }
    return value;
  };
}
