// Every error that a person can meet: one table of codes, each with its fate and a hint.
//
// `code` is for people and programs: stable, never reused. `fate` is for the runtime: what happens to a message
// whose sending threw this (DESIGN: "What happens to a failed send").

/** What the runtime does with a message whose send failed. */
export type Fate = "retry" | "rate_limited" | "reconnect" | "reject" | "uncertain" | "stop";

/** code: [fate when thrown by a send, hint for a person] */
const table = {
  // A connector's answers. A connector may also use codes of its own, which carry their fate with them.
  send_failed: ["retry", "Look at the connector's log; it is tried again by itself."],
  rate_limited: ["rate_limited", "Nothing: it goes on when the platform allows."],
  disconnected: ["reconnect", "Nothing: it goes on when the platform can be reached."],
  timed_out: [
    "uncertain",
    "The platform did not answer in time. Raise runtime.send_timeout if it is just slow.",
  ],
  rejected: ["reject", "The platform refused the message. Change it, then: spoolway failed retry"],
  unauthorized: [
    "stop",
    "Check the credentials. A changed entry in connectors.yml starts the connector again, and so does: spoolway restart NAME",
  ],
  tls_untrusted: ["reconnect", "Give the server's CA or certificate as tls_ca. It is tried again by itself."],
  no_such_folder: ["stop", "Correct folders in connectors.yml."],
  not_supported: ["reject", "This connector cannot do that. See its README for the actions it knows."],
  too_large: ["reject", "Shorten the message, or send a part of it as an attachment."],
  attachment_missing: [
    "reject",
    "Put the file beside the drop before the drop itself, then: spoolway failed retry",
  ],
  attachment_outside: ["reject", "Attachments must lie beside the drop or in the spool's media folder."],

  // A drop that is refused.
  invalid_json: ["reject", 'Write one JSON object in UTF-8, e.g. {"conversation_id":"#dev","text":"hi"}'],
  invalid_encoding: ["reject", "Save the file as UTF-8."],
  invalid_message: ["reject", "See schema/outgoing.schema.json for the keys that a message may have."],
  too_deep: ["reject", "Nest at most 64 levels."],
  duplicate_key: ["reject", "Write each key once."],
  forbidden_key: ["reject", "Rename the key __proto__."],
  message_too_large: ["reject", "Raise runtime.max_message_bytes, or send the content as an attachment."],
  not_a_file: ["reject", "Drop regular files only: no links, pipes, sockets or folders named *.json."],
  unreadable: ["reject", "Give the user that runs spoolway permission to read the file."],
  unmovable: [
    "reject",
    "Let the user that runs spoolway move it (no sticky bit on the folder, no immutable flag, no mount point), or move it away yourself.",
  ],
  duplicate_id: ["reject", "Another message with this id exists. Use a new id for a new message."],
  refused_interrupted: [
    "reject",
    "It was being refused when the process died; the file beside this one is what was dropped.",
  ],

  // Ends that are not refusals.
  expired: ["reject", "It was not sent before its expires_at."],
  attempts_exhausted: ["reject", "See the history for what went wrong, then: spoolway failed retry"],
  outcome_unknown: [
    "reject",
    "It may have been sent. Look on the platform; if it is not there: spoolway failed retry",
  ],

  // The spool.
  spool_write_failed: ["reconnect", "Free disk space or check the disk; nothing was acknowledged."],
  spool_full: [
    "retry",
    "Free space, or inodes, on the spool's disk: spool/inbox, spool/media and spool/sent are yours to clean. It goes on by itself; nothing was acknowledged.",
  ],
  spool_unusable: ["stop", "The folder must be on one local file system with hard links, rename and fsync."],
  spool_locked: ["stop", "Another spoolway runs on this spool. Stop it first, or use another --home."],

  // Configuration and inbound.
  config_invalid: ["stop", "Run: spoolway check"],
  invalid_event: [
    "reject",
    "The connector delivered something that schema/inbound.schema.json does not allow.",
  ],
  connector_broken: ["stop", "The connector's code could not be loaded. See its log."],

  // Ports.
  port_in_use: [
    "reconnect",
    "End the program that listens there (on Linux: ss -ltnp), or use another port. It is tried again by itself.",
  ],
  port_forbidden: ["stop", "Use a port above 1023 with a proxy in front, or allow this user the port."],

  // The sandbox (docs/sandbox.md, docs/policy.md).
  sandbox_unavailable: [
    "stop",
    "Install bubblewrap 0.8 or later (apt-get install bubblewrap) and allow unprivileged user namespaces, or set runtime.sandbox: false, which runs the connector unconfined.",
  ],
  sandbox_unsuitable: [
    "stop",
    "Move the folder, or set runtime.sandbox: false, which runs the connector unconfined.",
  ],
  sandbox_ended: [
    "retry",
    "The connector's code crashed in its sandbox; its last words and its log say why.",
  ],
  sandbox_violation: [
    "retry",
    "The connector does what only hostile or broken code does. Do not run it unless you know why.",
  ],
  too_many_processes: ["retry", "The connector or its program starts processes without end. See its log."],
  over_memory: ["retry", "Raise runtime.memory_mb if the connector really needs more."],
  library_missing: ["stop", "Install the connector's libraries: npx spoolway install TYPE"],
  install_failed: ["reject", "npm's own words say why; without a network nothing can be installed."],
  usage: ["reject", "See: spoolway help"],
} as const satisfies Record<string, readonly [Fate, string]>;

export type Code = keyof typeof table;

export interface SpoolwayErrorOptions {
  /** Overrides the table's fate. */
  fate?: Fate;
  /** Overrides the table's hint. */
  hint?: string;
  /** Milliseconds until the next try; for retry and rate_limited. */
  retryAfterMs?: number;
  cause?: unknown;
}

/** An error with a code for people, a fate for the runtime and a hint of what to do next. */
export class SpoolwayError extends Error {
  readonly code: string;
  readonly fate: Fate;
  readonly hint: string;
  readonly retryAfterMs: number | undefined;

  constructor(code: Code | (string & {}), message: string, options: SpoolwayErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "SpoolwayError";
    const [fate, hint] = (table as Record<string, readonly [Fate, string]>)[code] ?? ["retry", ""];
    this.code = code;
    this.fate = options.fate ?? fate;
    this.hint = options.hint ?? hint;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** The hint for a code, "" for a connector's own code. */
export function hintFor(code: string): string {
  return (table as Record<string, readonly [Fate, string]>)[code]?.[1] ?? "";
}

/** All codes with fate and hint; docs/errors.md is checked against it. */
export const errorTable: Readonly<Record<string, readonly [Fate, string]>> = table;

/** Exit codes of a connector's process, which the supervisor acts on. */
export const exitCode = { stopped: 0, crashed: 1, permanent: 100, temporary: 111 } as const;

/** Whatever was thrown, as an Error; an unknown throw has the code send_failed and the fate retry. */
export function toSpoolwayError(thrown: unknown): SpoolwayError {
  if (thrown instanceof SpoolwayError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new SpoolwayError("send_failed", message, { cause: thrown });
}

/** What to do about a lack of file descriptors, which looks like a broken disk; undefined for any other error. */
export function hintForFiles(thrown: unknown): string | undefined {
  return errnoOf(thrown) === "EMFILE" || errnoOf(thrown) === "ENFILE"
    ? "Raise the limit of open files (ulimit -n, LimitNOFILE= of systemd; fs.file-max for the machine)."
    : undefined;
}

/** The code of a system error ("ENOENT"), or undefined. */
export function errnoOf(thrown: unknown): string | undefined {
  return (thrown as NodeJS.ErrnoException | undefined)?.code;
}
