// A reader of server-sent events (the format of the HTML standard).
import { get, type IncomingMessage } from "node:http";
import { onTestFinished } from "vitest";
import type { Outgoing } from "../../../runtime/sdk.ts";
import type { Opened } from "./session.ts";

interface ServerEvent {
  id?: string;
  event?: string;
  data?: string;
  retry?: string;
}

export interface Listening {
  response: IncomingMessage;
  events: ServerEvent[];
  /** Of the events with an id, in order. */
  texts: string[];
  comments: string[];
  ended: boolean;
  close(): void;
}

/** Resolves when the headers have come; the request ends with the test. */
export function listenTo(url: string, headers: Record<string, string> = {}): Promise<Listening> {
  return new Promise((resolve, reject) => {
    const request = get(url, { headers, agent: false }, (response) => {
      const listening: Listening = {
        response,
        events: [],
        texts: [],
        comments: [],
        ended: false,
        close: () => request.destroy(),
      };
      let rest = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        const blocks = (rest + chunk).split("\n\n");
        rest = blocks.pop() ?? "";
        for (const block of blocks) {
          if (block.startsWith(":")) {
            listening.comments.push(block);
            continue;
          }
          const lines = block.split("\n").map((line) => line.split(/: (.*)/s).slice(0, 2));
          const event = Object.fromEntries(lines) as ServerEvent;
          listening.events.push(event);
          if (event.id !== undefined)
            listening.texts.push((JSON.parse(event.data ?? "{}") as Outgoing).text ?? "");
        }
      });
      response.on("close", () => (listening.ended = true)).on("error", () => undefined);
      resolve(listening);
    });
    request.on("error", reject);
    onTestFinished(() => void request.destroy());
  });
}

export const texts = (listening: Listening): string[] => listening.texts;
export const streamUrl = (web: Opened, conversation = "c", more = ""): string =>
  `${web.origin}/stream?conversation_id=${conversation}${more}`;
