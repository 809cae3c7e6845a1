// Generated from the JSON Schemas in this folder by schema/generate.ts. Do not edit.

/**
 * One line of the exec connector's protocol. The program writes events, results and log lines to stdout; it reads messages from stdin.
 */
export type ExecLine = ExecReady | ExecEvent | ExecSent | ExecFailed;
/**
 * {key} stands for the connector's own key of that name, {a.b} for a key in a group, each item of a list for itself. Without that key there is no need.
 */
export type Need =
  | string
  | {
      need: string;
      /**
       * Only where these keys have these values; null: are absent.
       */
      when?: {
        [k: string]: string | number | boolean | null;
      };
      /**
       * Of run: the folder that the program runs in.
       */
      cwd?: string;
    };

export interface SpoolwayProtocol {
  attempt?: AttemptRecord;
  "connectors-file"?: ConnectorsFile;
  "dead-letter"?: DeadLetter;
  defaults?: DefaultsFile;
  "exec-line"?: ExecLine;
  heartbeat?: Heartbeat;
  inbound?: InboundEvent;
  manifest?: Manifest;
  outgoing?: OutgoingMessage;
  policy?: Policy;
  receipt?: Receipt;
  retry?: RetryRecord;
  runtime?: RuntimeSettings;
  supervisor?: SupervisorStatus;
}
/**
 * One try to send.
 */
export interface AttemptRecord {
  attempt: number;
  started_at: string;
  ended_at?: string;
  fate: "retry" | "rate_limited" | "reconnect" | "reject" | "uncertain" | "stop";
  code?: string;
  message?: string;
  /**
   * Whether it used up one of retry.attempts.
   */
  counted: boolean;
}
/**
 * connectors.yml. A connector's own keys lie beside name and type; its manifest says which.
 */
export interface ConnectorsFile {
  connectors: ConnectorEntry[];
}
export interface ConnectorEntry {
  /**
   * Instance name of a connector; folder names derive from it.
   */
  name: string;
  /**
   * A folder of connectors/, a path that starts with ./ or /, or an installed package.
   */
  type: string;
  runtime?: RuntimeSettings;
  [k: string]: unknown;
}
/**
 * The `runtime:` key of a connector; config/defaults.yml holds the defaults with their reasons.
 */
export interface RuntimeSettings {
  /**
   * Default true.
   */
  enabled?: boolean;
  /**
   * Conversations in flight at once.
   */
  concurrency?: number;
  /**
   * Messages per time, e.g. 5/s, 20/m, 100/h.
   */
  rate?: string;
  retry?: {
    /**
     * Attempts that count, before the dead letter.
     */
    attempts?: number;
    /**
     * A duration: 500ms, 10s, 5m, 2h, 7d.
     */
    base?: string;
    /**
     * A duration: 500ms, 10s, 5m, 2h, 7d.
     */
    max?: string;
  };
  /**
   * What to do with a message that may have been sent when the process died.
   */
  on_uncertain?: "resend" | "hold";
  /**
   * Above it the connector is restarted.
   */
  memory_mb?: number;
  /**
   * A duration: 500ms, 10s, 5m, 2h, 7d.
   */
  send_timeout?: string;
  /**
   * A duration: 500ms, 10s, 5m, 2h, 7d.
   */
  connect_timeout?: string;
  /**
   * A duration: 500ms, 10s, 5m, 2h, 7d.
   */
  probe_every?: string;
  /**
   * A duration: 500ms, 10s, 5m, 2h, 7d.
   */
  probe_timeout?: string;
  /**
   * A duration: 500ms, 10s, 5m, 2h, 7d.
   */
  sync_every?: string;
  sync_limit?: number;
  /**
   * A duration: 500ms, 10s, 5m, 2h, 7d.
   */
  settle?: string;
  max_message_bytes?: number;
  max_attachment_bytes?: number;
  /**
   * A duration: 500ms, 10s, 5m, 2h, 7d.
   */
  drain?: string;
  /**
   * A duration: 500ms, 10s, 5m, 2h, 7d.
   */
  sent_keep?: string;
  /**
   * A duration: 500ms, 10s, 5m, 2h, 7d.
   */
  seen_keep?: string;
  /**
   * Run the connector under bubblewrap: it sees nothing of the machine but what config/policy.yml grants. Default false.
   */
  sandbox?: boolean;
  /**
   * With less free space events and attachments are refused.
   */
  min_free_bytes?: number;
  /**
   * With fewer free inodes events and attachments are refused.
   */
  min_free_inodes?: number;
  /**
   * Allocated beforehand, for receipts and dead letters on a full disk.
   */
  reserve_bytes?: number;
}
/**
 * spool/failed/<name>/<id>.json: what could not be sent, why, and what to do.
 */
export interface DeadLetter {
  record: "dead_letter";
  version: 1;
  /**
   * Idempotency key and file name.
   */
  id: string;
  /**
   * Instance name of a connector; folder names derive from it.
   */
  connector: string;
  /**
   * How many times sending was begun.
   */
  attempts: number;
  /**
   * The file name it was dropped under.
   */
  drop?: string;
  history?: AttemptRecord[];
  failed_at: string;
  /**
   * Stable; see docs/errors.md.
   */
  code: string;
  /**
   * In the platform's own words where there are any.
   */
  error: string;
  /**
   * What to do.
   */
  hint?: string;
  message?: OutgoingMessage;
  /**
   * The drop's text, where it is no valid message.
   */
  raw?: string;
  /**
   * Its bytes, where they are no UTF-8.
   */
  raw_base64?: string;
  /**
   * Name of the file beside this one that holds what was refused, as it was.
   */
  entry?: string;
  content_sha256?: string;
}
/**
 * A drop in spool/outbox/<name>.
 */
export interface OutgoingMessage {
  version?: 1;
  /**
   * Idempotency key and file name.
   */
  id?: string;
  /**
   * Default message.
   */
  action?: "message" | "edit" | "delete" | "react" | "typing";
  /**
   * Channel, room, address or user. The lane: order is kept inside it.
   */
  conversation_id: string;
  text?: string;
  /**
   * For edit, delete and react: the message that it is about.
   */
  target?: {
    platform_id: string;
  };
  /**
   * The emoji or its name, for action react.
   */
  reaction?: string;
  thread_id?: string;
  reply_to?: string;
  subject?: string;
  format?: "plain" | "markdown" | "html";
  /**
   * @maxItems 100
   */
  attachments?: OutgoingAttachment[];
  /**
   * Not sent earlier.
   */
  not_before?: string;
  /**
   * Not sent later: dead letter `expired`.
   */
  expires_at?: string;
  /**
   * Higher first, among conversations; never reorders one.
   */
  priority?: number;
  /**
   * Ignored, so that an inbound `reply` can be copied whole.
   */
  connector?: string;
  /**
   * Yours: echoed in the receipt.
   */
  meta?: {
    [k: string]: unknown;
  };
}
export interface OutgoingAttachment {
  /**
   * media/<sha256>, or a file beside the drop.
   */
  path: string;
  name?: string;
  media_type?: string;
  /**
   * Bytes; filled in at claim.
   */
  size?: number;
  /**
   * Filled in at claim.
   */
  sha256?: string;
}
/**
 * config/defaults.yml: what connectors and the supervisor do unless an entry, a manifest or the home's own file says otherwise.
 */
export interface DefaultsFile {
  connector?: RuntimeSettings;
  supervisor?: SupervisorDefaults;
}
export interface SupervisorDefaults {
  /**
   * A duration: 500ms, 10s, 5m, 2h, 7d.
   */
  backoff_base?: string;
  /**
   * A duration: 500ms, 10s, 5m, 2h, 7d.
   */
  backoff_max?: string;
  /**
   * A duration: 500ms, 10s, 5m, 2h, 7d.
   */
  healthy_after?: string;
  /**
   * A duration: 500ms, 10s, 5m, 2h, 7d.
   */
  park_within?: string;
  /**
   * A duration: 500ms, 10s, 5m, 2h, 7d.
   */
  park_for?: string;
  /**
   * A duration: 500ms, 10s, 5m, 2h, 7d.
   */
  watchdog?: string;
  /**
   * A duration: 500ms, 10s, 5m, 2h, 7d.
   */
  start_grace?: string;
  /**
   * A duration: 500ms, 10s, 5m, 2h, 7d.
   */
  kill_after?: string;
  /**
   * A duration: 500ms, 10s, 5m, 2h, 7d.
   */
  shutdown?: string;
  park_crashes?: number;
  log_line_bytes?: number;
  log_lines_per_s?: number;
}
/**
 * Program to Spoolway: it is connected (with `ready: true` in its config).
 */
export interface ExecReady {
  ready: true;
}
/**
 * Program to Spoolway: an event. {"text": …, "conversation_id": …} is enough, or the fields of an inbound event.
 */
export interface ExecEvent {
  /**
   * What makes the event the same when it is delivered again.
   */
  key?: string | string[];
  /**
   * Echoed on stdin as {"delivered": ack} once the event is durable.
   */
  ack?: string | number;
  text?: string | null;
  conversation_id?: string | number | null;
  kind?:
    | "message"
    | "edit"
    | "delete"
    | "reaction"
    | "membership"
    | "receipt"
    | "typing"
    | "item"
    | "event"
    | null;
  occurred_at?: string | null;
  sender?: {} | string | number | null;
  conversation?: {} | string | number | null;
  platform_id?: string | number | null;
  thread_id?: string | number | null;
  reply_to?: string | number | null;
  mentions_me?: boolean | null;
  /**
   * As in an inbound event; an attachment may carry `path` (a file of the program) or `base64`.
   */
  content?: {} | string | null;
  target?: {} | string | number | null;
  raw?: unknown;
}
/**
 * Program to Spoolway: the platform has the message.
 */
export interface ExecSent {
  /**
   * The message's id.
   */
  sent: string | number;
  platform_id?: string | number | null;
}
/**
 * Program to Spoolway: the message was not sent.
 */
export interface ExecFailed {
  /**
   * The message's id.
   */
  failed: string | number;
  code?: string;
  message?: string;
  /**
   * Default retry.
   */
  fate?: "retry" | "rate_limited" | "reconnect" | "reject" | "uncertain" | "stop";
  retry_after_s?: number;
  hint?: string;
}
/**
 * spool/heartbeat/<name>.json, rewritten every two seconds by the connector's main loop.
 */
export interface Heartbeat {
  version: 1;
  name: string;
  type: string;
  pid: number;
  /**
   * New for every process.
   */
  run_id: string;
  /**
   * Counts up; what the watchdog looks at.
   */
  seq: number;
  beat_at: string;
  /**
   * starting: no session yet. live: a session. offline: reconnecting. failing: a session that its probe calls deaf. stopping: draining.
   */
  state: "starting" | "live" | "offline" | "failing" | "stopping";
  /**
   * About receiving.
   */
  liveness: "live" | "offline" | "failing" | "unknown";
  last_received_at?: string;
  last_sent_at?: string;
  last_probe_ok_at?: string;
  last_sync_at?: string;
  received?: number;
  sent?: number;
  failed?: number;
  retried?: number;
  refused?: number;
  duplicates?: number;
  outbox_depth?: number;
  retry_depth?: number;
  in_flight?: number;
  unclaimed?: number;
  oldest_waiting_s?: number;
  event_loop_delay_ms?: number;
  rss_bytes?: number;
  error?: {
    code: string;
    message: string;
  };
  /**
   * What a person should do.
   */
  user_action?: string;
}
/**
 * An event in spool/inbox: what arrived on a platform, with the platform's own payload in `raw`.
 */
export interface InboundEvent {
  version: 1;
  /**
   * Idempotency key and file name.
   */
  id: string;
  /**
   * item: a synced record (mail, calendar entry, feed entry). event: anything that fits nowhere else.
   */
  kind: "message" | "edit" | "delete" | "reaction" | "membership" | "receipt" | "typing" | "item" | "event";
  /**
   * When Spoolway received it, UTC.
   */
  received_at: string;
  /**
   * When the platform says that it happened.
   */
  occurred_at?: string;
  connector: {
    type: string;
    /**
     * Instance name of a connector; folder names derive from it.
     */
    instance: string;
  };
  sender?: {
    /**
     * The platform's stable id.
     */
    id: string;
    username?: string;
    display_name?: string;
    is_bot?: boolean;
    /**
     * Sent by this connector's own account: answering it makes an echo loop.
     */
    is_self?: boolean;
  };
  conversation?: {
    /**
     * What to put in conversation_id to answer.
     */
    id: string;
    type?: "direct" | "group" | "channel" | "thread" | "other";
    name?: string;
  };
  /**
   * The platform's id of this message.
   */
  platform_id?: string;
  thread_id?: string;
  /**
   * platform_id of the message that this one answers.
   */
  reply_to?: string;
  mentions_me?: boolean;
  content?: {
    text?: string;
    format?: "plain" | "markdown" | "html";
    subject?: string;
    /**
     * The emoji or its name, for kind reaction.
     */
    reaction?: string;
    attachments?: InboundAttachment[];
  };
  /**
   * For edit, delete, reaction and receipt: the message that it is about.
   */
  target?: {
    platform_id: string;
  };
  /**
   * Copy into an outbox file to answer.
   */
  reply?: {
    /**
     * Instance name of a connector; folder names derive from it.
     */
    connector: string;
    conversation_id: string;
    thread_id?: string;
    reply_to?: string;
  };
  /**
   * The platform's own payload. Integers beyond 2^53 are strings.
   */
  raw?: unknown;
}
export interface InboundAttachment {
  name: string;
  media_type?: string;
  /**
   * Bytes.
   */
  size?: number;
  sha256?: string;
  /**
   * Relative to the spool: media/<sha256>.
   */
  path?: string;
  /**
   * Where the platform keeps it, if it was not fetched.
   */
  url?: string;
  /**
   * Code of why its bytes are not in media/: too_large.
   */
  omitted?: string;
}
/**
 * connectors/<type>/manifest.json: what the supervisor knows of a connector without running its code.
 */
export interface Manifest {
  type: string;
  title: string;
  /**
   * One line, for `spoolway types`.
   */
  description?: string;
  /**
   * Default connector.ts, then connector.js.
   */
  entry?: string;
  /**
   * tsx for TypeScript beyond type stripping. Default node.
   */
  loader?: "node" | "tsx";
  direction?: "in" | "out" | "both";
  features?: Features;
  /**
   * JSON Schema (draft-07) of the connector's own keys. Unknown keys are errors; `default` is applied; `secret: true` on a property redacts its value.
   */
  config: {
    [k: string]: unknown;
  };
  runtime?: RuntimeSettings;
  capabilities?: Capabilities;
}
/**
 * What it carries between its platform and the spool. The contract suite holds a connector to it; docs/connectors.md is made of it.
 */
export interface Features {
  /**
   * Kinds of events that it delivers.
   */
  in: ("message" | "edit" | "delete" | "reaction" | "membership" | "receipt" | "typing" | "item" | "event")[];
  /**
   * Actions that it can carry out; others are refused with not_supported.
   */
  out: ("message" | "edit" | "delete" | "react" | "typing")[];
  /**
   * Default none.
   */
  attachments?: "in" | "out" | "both" | "none";
  /**
   * thread_id. Default none.
   */
  threads?: "in" | "out" | "both" | "none";
  /**
   * reply_to. Default none.
   */
  replies?: "in" | "out" | "both" | "none";
  /**
   * Of outgoing text. Default plain.
   */
  formats?: ("plain" | "markdown" | "html")[];
  /**
   * What happened on the platform while it was away arrives later. Default false.
   */
  catches_up?: boolean;
  /**
   * What users see when a message is sent again after a crash: one message, thanks to the platform; two, with the same id on the platform; two. Default twice.
   */
  resend?: "once" | "recognisable" | "twice";
  limits?: {
    /**
     * Of one message on the platform, in text_unit.
     */
    text?: number;
    /**
     * utf16: code units. Default characters.
     */
    text_unit?: "bytes" | "characters" | "utf16";
    /**
     * What becomes of a longer text.
     */
    above?: "parts" | "refused";
    /**
     * The platform's own limit; runtime.max_attachment_bytes is one of ours.
     */
    attachment_in_bytes?: number;
    attachment_out_bytes?: number;
    /**
     * What the platform allows, in words.
     */
    rate?: string;
  };
}
/**
 * What the connector needs of the machine beyond its own folder. In a sandbox (runtime.sandbox) config/policy.yml has to grant it.
 */
export interface Capabilities {
  /**
   * Where it connects to: host:port, or a URL, of which only host and port count.
   */
  network?: Need[];
  /**
   * Where others connect to it: address:port.
   */
  listen?: Need[];
  /**
   * Files and folders that it reads; relative to the folder of connectors.yml.
   */
  read?: Need[];
  /**
   * Files and folders that it changes.
   */
  write?: Need[];
  /**
   * Programs with their arguments that it runs. What is no program of the system, and every file among the arguments, has to be readable.
   */
  run?: Need[];
  /**
   * Why it cannot run in a sandbox at all, as a sentence.
   */
  unconfined?: string;
}
/**
 * config/policy.yml: what sandboxed connectors may do. What is not granted is refused.
 */
export interface Policy {
  /**
   * By the connector's name in connectors.yml.
   */
  connectors: {
    [k: string]: PolicyEntry;
  };
}
export interface PolicyEntry {
  /**
   * Where it may connect to: [irc.example.org:6697, "*.example.org:443", "10.0.0.5:25", "192.168.0.0/16:*"]
   */
  network?: string[];
  /**
   * Ports where others may connect to it: [8787] on 127.0.0.1, ["0.0.0.0:8787"] on every address.
   */
  listen?: (number | string)[];
  /**
   * Files and folders that it may read; relative to the folder of connectors.yml.
   */
  read?: string[];
  /**
   * Files and folders that it may read and change.
   */
  write?: string[];
}
/**
 * spool/sent/<name>/<id>.json: the platform has the message.
 */
export interface Receipt {
  record: "receipt";
  version: 1;
  /**
   * Idempotency key and file name.
   */
  id: string;
  /**
   * Instance name of a connector; folder names derive from it.
   */
  connector: string;
  /**
   * How many times sending was begun.
   */
  attempts: number;
  /**
   * The file name it was dropped under.
   */
  drop?: string;
  history?: AttemptRecord[];
  action?: string;
  conversation_id?: string;
  sent_at: string;
  /**
   * When it was claimed first.
   */
  accepted_at?: string;
  /**
   * The platform's id of what was sent.
   */
  platform_id?: string;
  /**
   * All of them, where one message became several.
   */
  platform_ids?: string[];
  /**
   * Found on the platform after a crash instead of being sent again.
   */
  reconciled?: boolean;
  /**
   * Of the drop's bytes: tells a repeated drop from another one with the same id.
   */
  content_sha256?: string;
  meta?: {
    [k: string]: unknown;
  };
}
/**
 * spool/retry/<name>/<due>-<id>~<attempt>.json: waits for its time.
 */
export interface RetryRecord {
  record: "retry";
  version: 1;
  /**
   * Idempotency key and file name.
   */
  id: string;
  /**
   * Instance name of a connector; folder names derive from it.
   */
  connector: string;
  /**
   * How many times sending was begun.
   */
  attempts: number;
  /**
   * The file name it was dropped under.
   */
  drop?: string;
  history?: AttemptRecord[];
  due_at: string;
  accepted_at?: string;
  /**
   * Attempts that count, since it was dropped or redriven.
   */
  budget_used: number;
  /**
   * Why it waits; absent when scheduled.
   */
  code?: string;
  error?: string;
  message: OutgoingMessage;
  content_sha256?: string;
}
/**
 * spool/heartbeat/_supervisor.json.
 */
export interface SupervisorStatus {
  version: 1;
  pid: number;
  host: string;
  started_at: string;
  seq: number;
  beat_at: string;
  state: "running" | "stopping";
  spoolway_version?: string;
  rss_bytes?: number;
  connectors: ConnectorStatus[];
  /**
   * Outbox folders with no connector behind them.
   */
  orphan_outboxes?: {
    name: string;
    files: number;
  }[];
  config_errors?: string[];
}
export interface ConnectorStatus {
  name: string;
  type: string;
  /**
   * parked: crashed too often, tried again later. stopped: exited 100, waits for a change of its config. disabled: enabled is false. invalid: its entry has errors.
   */
  state:
    | "starting"
    | "live"
    | "offline"
    | "failing"
    | "paused"
    | "parked"
    | "backoff"
    | "stopping"
    | "stopped"
    | "disabled"
    | "invalid";
  pid?: number;
  since?: string;
  restarts?: number;
  next_start_at?: string;
  /**
   * In words: exit code or signal, and why.
   */
  last_exit?: string;
  error?: {
    code: string;
    message: string;
  };
  user_action?: string;
}

/**
 * Spoolway to program: send this; answer with sent or failed.
 */
export interface ExecMessage {
  send: OutgoingMessage;
}

/**
 * Spoolway to program: the event with this ack is durable.
 */
export interface ExecDelivered {
  delivered: string | number;
}

/**
 * Spoolway to program: the event with this ack was not accepted.
 */
export interface ExecRefused {
  refused: string | number;
  error: string;
}
