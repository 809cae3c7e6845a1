// The unix socket that chats attach to. One JSON object per line, both ways:
//
//     {"attach": "me"}                                        → {"attached": "me"}; from now on messages for "me" come here
//     {"text": "hi", "conversation_id": "me", "sender": "ada", "id": "1"}
//                                                             → {"delivered": "<event id>", "id": "1"}, once the event is durable
//                                                             → {"error": "what is wrong", "code": "…", "id": "1"}
//     {"message": {…}}                                        ← an outgoing message, as it was dropped
//
// `id` and `sender` may be absent. The same id again is the same event. Lines of one chat are answered in order, one at a time.
import { type Outgoing, SpoolwayError } from "spoolway/sdk";
import type { Fields } from "spoolway/sdk/program/json-line";
import { LineServer } from "spoolway/sdk/socket/line-server";

/** What a chat said. */
export interface Said {
  text: string;
  conversation: string;
  sender?: string;
  /** The chat's own id of it. */
  id?: string;
}

export interface ChatServer {
  /** To all chats attached to its conversation. */
  show(message: Outgoing): void;
  /** Rejects when the socket cannot be reached any more (its file was removed). */
  probe(): Promise<void>;
  /** Ends all chats and removes the socket's file. */
  close(): Promise<void>;
}

interface Handlers {
  /** Resolves with the event's id once it is durable. */
  deliver(said: Said): Promise<string>;
  /** A chat that did not read was cut off. */
  tooSlow(): void;
}

/** Listens at `path`, for this user only. Throws when another process answers there. */
export async function openChatServer(path: string, handlers: Handlers): Promise<ChatServer> {
  const server = await LineServer.open(path, {
    async answer(line, chat) {
      if (line.attach === undefined) return { delivered: await handlers.deliver(readSaid(line)) };
      chat.topic = text(line, "attach");
      return { attached: chat.topic };
    },
    tooSlow: () => handlers.tooSlow(),
  });
  return {
    show: (message) => server.tell(message.conversation_id, { message }),
    probe: () => server.probe(),
    close: () => server.close(),
  };
}

function readSaid(line: Fields): Said {
  return {
    text: text(line, "text"),
    conversation: text(line, "conversation_id"),
    ...(line.sender === undefined ? {} : { sender: text(line, "sender") }),
    ...(line.id === undefined ? {} : { id: text(line, "id") }),
  };
}

function text(line: Fields, key: string): string {
  const value = line[key];
  if (typeof value === "string" && value !== "") return value;
  throw new SpoolwayError("invalid_event", `${key}: expected a text that is not empty`);
}
