// What a connector's contract test says about its platform. The suite (suite.ts) does the rest, through the real bus.
//
// Write test/contract/<type>.test.ts:
//
//     import { contract } from "./suite.ts";
//     contract({ type: "irc", conversation: "#dev", async open({ folder }) { … return entry }, … });
//
// One object, opened and closed again for every case, so keep what `open` makes (server, observing client) in variables of the
// test file. Presence is capability: a member that is not there leaves its cases out (they are not counted as skipped).
//
//     open ─▶ bus starts ─▶ attach(bus) ─▶ the case ─▶ bus stops ─▶ close
//                             ▲ again after every restart of the bus or of the connector
import type { InboundEvent, OutgoingMessage } from "../../schema/types.ts";
import type { Bus } from "../helpers/bus.ts";

/** An entry of connectors.yml without `name` and `type`: the connector's own keys, and `runtime` where needed. */
export type Entry = Record<string, unknown>;

/** Something that was said on the platform, for sayAgain. */
export interface Said {
  conversation: string;
  text: string;
  /** The platform's own key of it (delivery id, message id), where the case needs it again. */
  key?: string;
}

/** What the connector sent, as users see it. */
export interface Sent {
  conversation: string;
  text: string;
  /** Of the receipt. */
  platformId: string;
}

export type Kind = InboundEvent["kind"];
export type Action = NonNullable<OutgoingMessage["action"]>;

/** A platform that asks to wait. */
export interface RateLimit {
  /** From now on for so many seconds every send is answered with "wait". */
  impose(seconds: number): void | Promise<void>;
  /** How many requests came although they should not have yet. */
  early(): number;
}

/** The platform's server, as something that can be away. */
export interface PlatformServer {
  /** An orderly stop. Resolves when nothing listens any more. */
  stop(): Promise<void>;
  /** Dies at once, without a goodbye. Default: stop. */
  kill?(): Promise<void>;
  /** Back on the same port. Resolves when the platform's users (the observer behind say and heard) are back too. */
  start(): Promise<void>;
  /**
   * Connections stay open, and nothing moves any more: neither a byte nor an end. `start` brings everything back (connections that were frozen may be dead then).
   */
  freeze?(): void | Promise<void>;
}

export interface Platform {
  /** The connector's type; also its name in the test's connectors.yml. */
  type: string;
  /** Where `say` speaks and what a drop names as conversation_id. */
  readonly conversation: string;
  /** A second conversation, for the cases about lanes. */
  readonly otherConversation?: string;
  /** Set when the platform cannot be run on this machine ("ngircd is not installed"): everything is skipped, loudly. */
  readonly missing?: string | undefined;

  /** Starts the platform and returns the connector's entry. `folder` is temporary, empty and the case's own. */
  open(place: { folder: string }): Promise<Entry>;
  /** Called whenever the connector is live again: for observers that need the bus (its home, its logs). */
  attach?(bus: Bus): Promise<void>;
  /** Ends everything that `open` started, whatever state the case left it in. */
  close(): Promise<void>;

  /** Receiving: a user of the platform says something. Resolves when the platform has it. */
  say?(said: { conversation: string; text: string }): Promise<Said>;
  /** The platform delivers the very same event once more. */
  sayAgain?(said: Said): Promise<void>;
  /** An attachment comes in. */
  sayFile?(file: { conversation: string; name: string; bytes: Uint8Array }): Promise<void>;
  /** The connector's own account says something, seen by the connector: the event must have sender.is_self. */
  saySelf?(said: { conversation: string; text: string }): Promise<void>;
  /** True where the platform keeps what is said while the connector is away. */
  keepsWhileAway?: boolean;
  /** An event with an attachment above our limit is refused, and whoever said it is told so: nothing would bring it again, or it stays where it lies. */
  refusesLarge?: boolean;
  /** True where events come by themselves (a clock): nobody says anything. */
  emits?: boolean;

  /**
   * Sending: the texts that users of the platform saw in this conversation since `open`, in order of arrival. May hold other texts as well; must survive a restart
   * of the platform's server.
   */
  heard?(conversation: string): Promise<string[]>;
  /** The attachments that users of the platform saw. */
  heardFiles?(conversation: string): Promise<Array<{ name: string; bytes: Uint8Array }>>;
  /** A message that the platform refuses for good, and how its own words look in the dead letter's `error`. */
  refused?: { message: Record<string, unknown>; error: RegExp };
  /**
   * A text above the platform's limit and what becomes of it: refused with too_large, or in parts. Parts, joined, must be the text (white space apart).
   */
  oversize?: { text: string; becomes: "refused" | "parts" };

  /**
   * What else happens on the platform, by the event's kind, to something that was said: makes it happen, and returns what its event must hold (toMatchObject). Every kind
   * of the manifest's features.in but `message` has to be here.
   */
  happens?: Partial<Record<Kind, (said: Said) => Promise<Record<string, unknown>>>>;
  /** Whether users see what an edit, delete, react (with 👍) or typing of ours did to what was sent. Every action of features.out but `message` has to be here. */
  did?: Partial<Record<Action, (sent: Sent) => Promise<boolean>>>;
  /** A user answers what was said: event.reply_to must be its platform_id. */
  sayReply?(said: Said, text: string): Promise<void>;
  /** The platform id that this text of ours answers, as users see it. */
  heardReplyTo?(text: string, conversation: string): Promise<string | undefined>;
  /** A user says something in a thread: event.thread_id must be set. Resolves with the thread's id as event.thread_id has it. */
  sayInThread?(text: string): Promise<{ conversation: string; threadId: string }>;
  /** The thread (as event.thread_id has it) in which users saw this text. */
  heardThread?(text: string, conversation: string): Promise<string | undefined>;
  rateLimit?: RateLimit;
  /** From now on (true) the platform takes what is sent and its answer does not get through; false: as usual again, on new connections. */
  swallowAnswers?(on: boolean): void | Promise<void>;
  /** An attachment of so many bytes comes in; resolves with its SHA-256 (hex). Must not hold it in the memory of the connector's process. */
  sayBigFile?(size: number): Promise<string>;
  /** Size and SHA-256 (hex) of the biggest attachment that users saw. */
  heardBigFile?(): Promise<{ size: number; sha256: string } | undefined>;

  /** Declared features that this server lacks, with the test file that shows them on another one. */
  shownElsewhere?: Partial<Record<"replies" | "threads" | "attachments", string>>;

  /** The server that the connector talks to. */
  server?: PlatformServer;
  /** True where the connector says `offline` while the server is away (not where it is a server itself and stays reachable). */
  offlineWithoutServer?: boolean;
  /** The entry, changed so that the platform refuses its credentials. */
  badCredentials?(entry: Entry): Entry;
  /** How many times a login was tried since `open`; with badCredentials it must not grow. */
  logins?(): Promise<number>;
}
