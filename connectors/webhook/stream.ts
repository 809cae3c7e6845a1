// The live stream: outgoing messages as server-sent events, one stream per conversation.
//
// Every message goes into the history of its conversation (the last `perConversation`, all together at most `maxBytes`, in memory); a
// listener is a position in that history. It is fed as fast as its socket takes it, so a slow one costs one message of memory. One whose position
// falls out of the history, or that takes nothing between two heartbeats, is disconnected and comes back with Last-Event-ID.
//
//   subscribe ─▶ [gap] ─▶ history after Last-Event-ID (or all of it) ─▶ live ─▶ closed by the listener, too slow, or session over
import type { ServerResponse } from "node:http";
import type { Outgoing } from "spoolway/sdk";

const heartbeatMs = 15_000;
const reconnectMs = 2000;
/** Conversations without a listener that are remembered. */
const maxConversations = 1000;

export interface HubLimits {
  perConversation: number;
  maxBytes?: number;
  heartbeatMs?: number;
}

interface Entry {
  id: string;
  frame: string;
  bytes: number;
}

interface Conversation {
  id: string;
  entries: Entry[];
  /** Number of the first entry; they are numbered consecutively. */
  first: number;
  listeners: Set<Listener>;
}

interface Listener {
  response: ServerResponse;
  conversation: Conversation;
  /** Number of the next entry to write. */
  next: number;
  /** The socket's buffer is full. */
  blocked: boolean;
  /** It was full at the last heartbeat, and nothing was taken since. */
  stalled: boolean;
}

export class Hub {
  private readonly perConversation: number;
  private readonly maxBytes: number;
  private readonly heartbeatMs: number;
  /** In order of the last message. */
  private readonly conversations = new Map<string, Conversation>();
  private readonly listeners = new Set<Listener>();
  private bytes = 0;
  private beat: NodeJS.Timeout | undefined;

  constructor(limits: HubLimits) {
    this.perConversation = limits.perConversation;
    this.maxBytes = limits.maxBytes ?? 16 * 1024 * 1024;
    this.heartbeatMs = limits.heartbeatMs ?? heartbeatMs;
  }

  get listenerCount(): number {
    return this.listeners.size;
  }

  /** Adds the message to its conversation's history and feeds its listeners. A message with a known id is there already: a resend. */
  publish(message: Outgoing): void {
    const data = `data: ${JSON.stringify(message)}\n\n`;
    if (message.action === "typing") {
      // Worth nothing a second later: for those who listen now, and never kept.
      const now = this.conversations.get(message.conversation_id)?.listeners ?? [];
      for (const listener of now) if (!listener.blocked) this.write(listener, data);
      return;
    }
    const conversation = this.conversation(message.conversation_id);
    if (conversation.entries.some((entry) => entry.id === message.id)) return;
    const frame = `id: ${message.id}\n${data}`;
    conversation.entries.push({ id: message.id, frame, bytes: Buffer.byteLength(frame) });
    this.bytes += Buffer.byteLength(frame);
    for (const listener of conversation.listeners) this.feed(listener);
    this.trim(conversation);
  }

  /** Makes the response a listener. The caller has checked that it may listen. */
  subscribe(
    conversationId: string,
    lastEventId: string | undefined,
    response: ServerResponse,
    headers = {},
  ): void {
    response.writeHead(200, {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-store",
      // nginx would hold events back.
      "x-accel-buffering": "no",
      "x-content-type-options": "nosniff",
      ...headers,
    });
    const conversation = this.conversation(conversationId);
    const seen =
      lastEventId === undefined ? -1 : conversation.entries.findIndex((entry) => entry.id === lastEventId);
    const listener: Listener = {
      response,
      conversation,
      next: conversation.first + seen + 1,
      blocked: false,
      stalled: false,
    };
    this.listeners.add(listener);
    conversation.listeners.add(listener);
    response.on("close", () => this.remove(listener));
    response.on("drain", () => {
      listener.blocked = false;
      listener.stalled = false;
      this.feed(listener);
    });
    this.write(listener, `retry: ${reconnectMs}\n\n`);
    if (lastEventId !== undefined && seen < 0) {
      // Older than the history, or from before a restart: some may be missing, and what follows may be known.
      this.write(listener, `event: gap\ndata: ${JSON.stringify({ last_event_id: lastEventId })}\n\n`);
    }
    this.feed(listener);
    this.beat ??= setInterval(() => this.heartbeat(), this.heartbeatMs);
  }

  /** Ends all streams; their readers come back by themselves. The history stays for the next session. */
  endAll(): void {
    for (const listener of [...this.listeners]) {
      listener.response.end();
      this.remove(listener);
    }
  }

  private conversation(id: string): Conversation {
    const conversation = this.conversations.get(id) ?? { id, entries: [], first: 0, listeners: new Set() };
    this.conversations.delete(id);
    this.conversations.set(id, conversation);
    return conversation;
  }

  private feed(listener: Listener): void {
    const { conversation } = listener;
    while (!listener.blocked) {
      const entry = conversation.entries[listener.next - conversation.first];
      if (entry === undefined) return;
      listener.next += 1;
      this.write(listener, entry.frame);
    }
  }

  private write(listener: Listener, frame: string): void {
    if (!listener.response.write(frame)) listener.blocked = true;
  }

  private heartbeat(): void {
    for (const listener of [...this.listeners]) {
      if (listener.stalled) listener.response.destroy();
      else if (!listener.blocked) this.write(listener, ": beat\n\n");
      listener.stalled = listener.blocked;
    }
  }

  private remove(listener: Listener): void {
    this.listeners.delete(listener);
    const { conversation } = listener;
    conversation.listeners.delete(listener);
    // Listening alone leaves nothing behind.
    if (this.isForgotten(conversation)) this.conversations.delete(conversation.id);
    if (this.listeners.size > 0) return;
    clearInterval(this.beat);
    this.beat = undefined;
  }

  /** Forgets the oldest: of this conversation, then of the conversations that were quiet longest. */
  private trim(conversation: Conversation): void {
    if (conversation.entries.length > this.perConversation) this.dropFirst(conversation);
    for (const oldest of this.conversations.values()) {
      const tooMany = this.conversations.size > maxConversations && oldest.listeners.size === 0;
      // The newest message stays, however large it is: it was accepted.
      const keep = oldest === conversation ? 1 : 0;
      while (oldest.entries.length > keep && (this.bytes > this.maxBytes || tooMany)) this.dropFirst(oldest);
      if (this.isForgotten(oldest)) this.conversations.delete(oldest.id);
      if (this.bytes <= this.maxBytes && this.conversations.size <= maxConversations) return;
    }
  }

  private isForgotten(conversation: Conversation): boolean {
    const { id, entries, listeners } = conversation;
    return entries.length === 0 && listeners.size === 0 && this.conversations.get(id) === conversation;
  }

  private dropFirst(conversation: Conversation): void {
    this.bytes -= conversation.entries.shift()?.bytes ?? 0;
    conversation.first += 1;
    for (const listener of conversation.listeners) {
      // It has missed one: better to come back and be told of the gap than to go on as if nothing was.
      if (listener.next < conversation.first) listener.response.destroy();
    }
  }
}
