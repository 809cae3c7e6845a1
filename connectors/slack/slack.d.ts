// A session, and of Slack's payloads (https://docs.slack.dev/reference) what this connector reads.
import type { Context } from "spoolway/sdk";
import type { CatchUp } from "spoolway/sdk/catch-up";
import type { Lookups } from "spoolway/sdk/lookups";
import type { MessageSocket } from "spoolway/sdk/socket/message-socket";
import type { MethodApi } from "spoolway/sdk/http/method-api";
import type { People, Person } from "spoolway/sdk/people";
import type { Recent } from "spoolway/sdk/recent";
import type { Config } from "./manifest.d.ts";

export type { Config };

export interface Slack {
  ctx: Context<Config>;
  api: MethodApi<Answer>;
  me: Pick<Answer, "user_id" | "bot_id">;
  socket: MessageSocket<Envelope>;
  people: People;
  rooms: Lookups<Room>;
  files: Lookups<SlackFile>;
  /** A file of each of the last sends, by the message's id: by it a restart finds out whether they were shared. */
  uploads: Recent<string>;
  missed: CatchUp;
}

/** What it takes to tell what somebody said. */
export type Known = Pick<Slack, "ctx" | "me" | "people" | "rooms" | "files">;

/** What methods answer, each with its own part of it. */
export interface Answer {
  /** auth.test */
  user_id: string;
  bot_id: string;
  /** apps.connections.open */
  url: string;
  user: Person;
  channel: Room;
  channels: Room[];
  messages: Message[];
  /** chat.postMessage */
  ts: string;
  file: SlackFile;
  /** files.getUploadURLExternal */
  upload_url: string;
  file_id: string;
}

/** A conversation that the bot is in. */
export interface Room {
  id: string;
  name?: string;
  is_im?: boolean;
  is_mpim?: boolean;
}

export interface SlackFile {
  id: string;
  name?: string;
  title?: string;
  size?: number;
  mimetype?: string;
  url_private?: string;
  url_private_download?: string;
  /** "check_file_info": files.info has the rest. */
  file_access?: string;
}

export interface Message {
  type: string;
  subtype?: string;
  channel: string;
  channel_type?: string;
  ts: string;
  thread_ts?: string;
  user?: string | { id: string } | null;
  user_id?: string;
  bot_id?: string;
  username?: string;
  bot_profile?: { name?: string };
  text?: string;
  blocks?: unknown[];
  files?: SlackFile[];
  /** Previews of links, and what apps say instead of a text. */
  attachments?: unknown[];
  edited?: { ts: string };
  /** Of a thread's first message: when the last answer came. */
  latest_reply?: string;
  metadata?: { event_type?: string; event_payload?: { id?: string; part?: number } };
}

/** The inner event of events_api; or the payload of a slash command or an interaction. */
export interface SlackEvent extends Omit<Message, "channel" | "ts"> {
  ts?: string;
  channel?: string | { id: string };
  channel_id?: string;
  event_ts?: string;
  /** message_changed; of an interaction the message in which it happened. */
  message?: Message;
  previous_message?: Message;
  /** message_deleted */
  deleted_ts?: string;
  /** reaction_added, reaction_removed */
  reaction?: string;
  item?: { type: string; channel?: string; ts?: string };
  /** A slash command. */
  command?: string;
  /** Of a slash command and an interaction. */
  trigger_id?: string;
  /** A click on a button, a choice from a menu. */
  actions?: Array<{ action_id?: string; value?: string; action_ts?: string }>;
  /** A shortcut. */
  callback_id?: string;
  action_ts?: string;
}

/** What comes over the WebSocket. */
export interface Envelope {
  type: "hello" | "disconnect" | "events_api" | "slash_commands" | "interactive";
  /** Of disconnect. */
  reason?: string;
  envelope_id?: string;
  payload?: SlackEvent & { token?: string; event_id?: string; event?: SlackEvent };
}
