// The contract for webhooks, twice: posted to a receiver (HTTP out), and read from the live stream by a listener that comes back by itself.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { text as readText } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { describe } from "vitest";
import { freePort } from "../helpers/ports.ts";
import { contract } from "./suite.ts";
import type { Platform, PlatformServer, Said } from "./platform.ts";

interface Posted {
  conversation_id: string;
  text?: string;
  attachments?: Array<{ name: string; base64: string }>;
}

/** Posts to the connector; tries again where nothing listens (a restart), as senders of webhooks do. */
async function post(port: number, body: object, key: string): Promise<void> {
  for (let tries = 0; ; tries += 1) {
    try {
      const response = await fetch(`http://127.0.0.1:${port}/`, {
        method: "POST",
        headers: { "content-type": "application/json", "webhook-id": key },
        body: JSON.stringify(body),
      });
      const answer = await response.text();
      if (response.ok) return;
      if (response.status < 500) throw new Error(`refused with ${response.status}: ${answer}`);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // fetch failed: nothing listens there now
    }
    if (tries > 150) throw new Error(`nobody takes webhooks at port ${port}`);
    await delay(100);
  }
}

let deliveries = 0;

/** What both platforms share: somebody who posts. */
function poster(port: () => number): Pick<Platform, "say" | "sayAgain" | "sayFile"> {
  const bodyOf = ({ conversation, text }: Said): object => ({
    conversation_id: conversation,
    text,
    sender: { id: "u1" },
  });
  return {
    async say(said) {
      const key = `delivery-${process.pid}-${(deliveries += 1)}`;
      await post(port(), bodyOf(said), key);
      return { ...said, key };
    },
    async sayAgain(said) {
      await post(port(), bodyOf(said), said.key ?? "");
    },
    async sayFile({ conversation, name, bytes }) {
      const attachments = [{ name, base64: Buffer.from(bytes).toString("base64") }];
      await post(port(), { conversation_id: conversation, attachments }, `file-${(deliveries += 1)}`);
    },
  };
}

/** A program that takes posts: refuses what says so, and texts that are too long for it. */
class Receiver implements PlatformServer {
  port = 0;
  posted: Posted[] = [];
  private server: Server | undefined;

  async start(): Promise<void> {
    const server = createServer((request, response) => void this.take(request, response));
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(this.port, "127.0.0.1", resolve);
    });
    this.server = server;
  }

  async stop(): Promise<void> {
    const { server } = this;
    if (server === undefined) return;
    this.server = undefined;
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  }

  private async take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const message = JSON.parse(await readText(request)) as Posted;
    const { text = "" } = message;
    if (text.startsWith("refuse me")) response.writeHead(422).end("we do not take this");
    else if (text.length > 5000) response.writeHead(413).end("at most 5000 characters");
    else {
      this.posted.push(message);
      response.writeHead(200, { "content-type": "application/json" }).end('{"id":"r1"}');
    }
  }
}

describe("posting to a url", () => {
  let port = 0;
  let receiver = new Receiver();
  contract({
    type: "webhook",
    conversation: "#dev",
    otherConversation: "#other",
    async open() {
      port = await freePort();
      receiver = new Receiver();
      receiver.port = await freePort();
      await receiver.start();
      const sign = { secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" };
      return { port, url: `http://127.0.0.1:${receiver.port}/in`, sign };
    },
    close: () => receiver.stop(),
    ...poster(() => port),
    heard: (conversation) =>
      Promise.resolve(
        receiver.posted.filter((m) => m.conversation_id === conversation).map(({ text }) => text ?? ""),
      ),
    heardFiles: (conversation) =>
      Promise.resolve(
        receiver.posted
          .filter((m) => m.conversation_id === conversation)
          .flatMap(({ attachments = [] }) => attachments)
          .map(({ name, base64 }) => ({ name, bytes: Buffer.from(base64, "base64") })),
      ),
    refused: { message: { text: "refuse me" }, error: /answered 422: we do not take this/ },
    oversize: { text: "long ".repeat(2000), becomes: "refused" },
    server: {
      stop: () => receiver.stop(),
      start: () => receiver.start(),
    },
  });
});

/** Listens to one conversation like a web page: comes back after every loss, with Last-Event-ID, and knows ids that it has seen. */
class Page {
  readonly texts: string[] = [];
  private readonly ids = new Set<string>();
  private readonly abort = new AbortController();
  private readonly url: string;
  private readonly done: Promise<void>;
  private lastId: string | undefined;

  constructor(port: number, conversation: string) {
    this.url = `http://127.0.0.1:${port}/stream?conversation_id=${encodeURIComponent(conversation)}`;
    this.done = this.run();
  }

  async close(): Promise<void> {
    this.abort.abort();
    await this.done;
  }

  private async run(): Promise<void> {
    const { signal } = this.abort;
    while (!signal.aborted) {
      try {
        const headers = this.lastId === undefined ? {} : { "last-event-id": this.lastId };
        const response = await fetch(this.url, { signal, headers });
        if (response.ok && response.body) await this.read(response.body);
      } catch (error) {
        // The server is away or went away; anything else is a mistake of this test.
        if (!(error instanceof TypeError) && (error as Error).name !== "AbortError") throw error;
      }
      await delay(50);
    }
  }

  private async read(body: ReadableStream<Uint8Array>): Promise<void> {
    let rest = "";
    const utf8 = new TextDecoder();
    for await (const chunk of body) {
      const blocks = (rest + utf8.decode(chunk, { stream: true })).split("\n\n");
      rest = blocks.pop() ?? "";
      for (const block of blocks) {
        const [, id] = /^id: (.*)$/m.exec(block) ?? [];
        const [, data] = /^data: (.*)$/m.exec(block) ?? [];
        if (id === undefined || data === undefined) continue;
        this.lastId = id;
        if (!this.ids.has(id)) this.texts.push((JSON.parse(data) as Posted).text ?? "");
        this.ids.add(id);
      }
    }
  }
}

describe("streaming to a page", () => {
  let port = 0;
  let pages = new Map<string, Page>();
  contract({
    type: "webhook",
    conversation: "#dev",
    otherConversation: "#other",
    async open() {
      port = await freePort();
      pages = new Map(["#dev", "#other"].map((conversation) => [conversation, new Page(port, conversation)]));
      return { port };
    },
    async close() {
      await Promise.all([...pages.values()].map((page) => page.close()));
    },
    ...poster(() => port),
    heard: (conversation) => Promise.resolve([...(pages.get(conversation)?.texts ?? [])]),
  });
});
