// What the configuration looks like once it is validated: the same object in the supervisor and, over IPC, in a connector's process.
import type { Manifest } from "../../schema/types.ts";
import type { Grants } from "../sandbox/grants.ts";

/** The runtime settings of one connector: durations in ms, every default applied. */
export interface ConnectorSettings {
  enabled: boolean;
  concurrency: number;
  /** Messages per interval, or null for no limit of our own. */
  rate: { count: number; perMs: number } | null;
  retryAttempts: number;
  retryBaseMs: number;
  retryMaxMs: number;
  onUncertain: "resend" | "hold";
  memoryMb: number;
  sendTimeoutMs: number;
  connectTimeoutMs: number;
  probeEveryMs: number;
  probeTimeoutMs: number;
  syncEveryMs: number;
  syncLimit: number;
  settleMs: number;
  maxMessageBytes: number;
  maxAttachmentBytes: number;
  drainMs: number;
  sentKeepMs: number;
  seenKeepMs: number;
  /** Runs under bubblewrap. */
  sandbox: boolean;
  minFreeBytes: number;
  minFreeInodes: number;
  reserveBytes: number;
}

export interface SupervisorSettings {
  backoffBaseMs: number;
  backoffMaxMs: number;
  healthyAfterMs: number;
  parkCrashes: number;
  parkWithinMs: number;
  parkForMs: number;
  watchdogMs: number;
  startGraceMs: number;
  killAfterMs: number;
  shutdownMs: number;
  logLineBytes: number;
  logLinesPerS: number;
}

/** One valid entry of connectors.yml. Plain JSON, so that it crosses the IPC channel. */
export interface ConnectorConfig {
  name: string;
  type: string;
  /** The connector's own keys, validated against the manifest, defaults applied. */
  config: Record<string, unknown>;
  settings: ConnectorSettings;
  /** Absolute path of the module to load, and of the folder with its manifest. */
  entry: string;
  folder: string;
  /** From config/policy.yml; they hold in the sandbox only. */
  grants: Grants;
  loader: "node" | "tsx";
  /** Values that must never be logged. */
  secrets: string[];
  /** Changes when anything that the connector's process depends on changes. */
  fingerprint: string;
}

/** A connector type as found on disk; its code was not run. */
export interface ConnectorType {
  type: string;
  folder: string;
  entry: string;
  manifest: Manifest;
}

/** One mistake in connectors.yml (or config/defaults.yml, config/policy.yml), with its place. */
export interface ConfigProblem {
  file: string;
  /** 1-based; 0 where there is no place. */
  line: number;
  column: number;
  /** What was found and what was expected. */
  message: string;
  /** What to do, e.g. did you mean `channels`? */
  hint?: string;
  /** The entry that it disables, as in LoadedConfig.invalid; absent when it belongs to no entry. */
  connector?: string;
  /** The line, with secrets masked, and the 0-based column in it that is meant. */
  source?: { text: string; column: number };
}

export interface LoadedConfig {
  connectors: ConnectorConfig[];
  /**
   * Entries with errors: they are disabled, the others run. `name` is safe to show and unique; where the written one is no valid name or taken, it
   * is made from the entry's number (`#3`, `web#2`), which never is an instance name.
   */
  invalid: Array<{
    name: string;
    type: string;
    problems: ConfigProblem[];
    /** What it needs is not granted (any more): it must not go on with what it had. */
    revoked?: true;
  }>;
  supervisor: SupervisorSettings;
  problems: ConfigProblem[];
  /** What disables nothing, but is probably not meant. */
  warnings: ConfigProblem[];
  /** True when the file as a whole cannot be used (unreadable, not YAML, no list): a running supervisor then changes nothing. */
  unusable: boolean;
  /** Absolute paths of everything that was read or looked for: when one of them changes, the configuration may have changed. */
  files: string[];
}
