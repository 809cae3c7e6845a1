// The connector in docs/writing-a-connector.md keeps the contract, as the page says: its code blocks, against a pinboard server of 30 lines.
import { createServer, type Server } from "node:http";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "../helpers/command.ts";
import { freePort } from "../helpers/ports.ts";
import { contract } from "./suite.ts";

interface Note {
  id: number;
  board: string;
  author: string;
  text: string;
}

let notes: Note[] = [];
let ids = new Map<string, Note>();
let logins = 0;
let server: Server | undefined;
let port = 0;

async function listen(): Promise<void> {
  server = createServer(async (request, response) => {
    const answer = (status: number, body: unknown): void =>
      void response.writeHead(status).end(JSON.stringify(body));
    const url = new URL(request.url ?? "", "http://localhost");
    if (url.pathname === "/me") logins++;
    if (request.headers.authorization !== "Bearer secret") return answer(401, "who are you?");
    if (url.pathname === "/me") return answer(200, {});
    if (request.method === "GET") {
      const after = Number(url.searchParams.get("after"));
      return answer(
        200,
        notes.filter((note) => note.id > after).slice(0, Number(url.searchParams.get("limit"))),
      );
    }
    const note = JSON.parse(Buffer.concat(await request.toArray()).toString("utf8")) as Note;
    if (note.text === "") return answer(400, "a note needs a text");
    const key = String(request.headers["idempotency-key"]);
    answer(200, ids.get(key) ?? ids.set(key, pin(note)).get(key));
  });
  await new Promise<void>((done) => server?.listen(port, "127.0.0.1", done));
}

function pin(note: Omit<Note, "id">): Note {
  const pinned = { ...note, id: notes.length + 1 };
  notes.push(pinned);
  return pinned;
}

async function stop(): Promise<void> {
  server?.closeAllConnections();
  await new Promise((done) => (server?.listening ? server.close(done) : done(undefined)));
}

/** Writes the page's connector into the folder and returns it: a type may be a path. */
function extractConnector(folder: string): string {
  const page = readFileSync(join(projectRoot, "docs/writing-a-connector.md"), "utf8");
  const block = (language: string): string =>
    page.split(`\n\`\`\`${language}\n`)[1]?.split("\n```\n")[0] ?? "";
  mkdirSync(folder);
  writeFileSync(join(folder, "manifest.json"), block("json"));
  writeFileSync(join(folder, "connector.ts"), block("ts"));
  return folder;
}

contract({
  type: "pinboard",
  conversation: "lunch",
  otherConversation: "news",
  async open({ folder }) {
    [notes, ids, logins, port] = [[], new Map(), 0, await freePort()];
    await listen();
    return {
      type: extractConnector(join(folder, "pinboard")),
      url: `http://127.0.0.1:${port}`,
      token: "secret",
      runtime: { sync_every: "200ms" },
    };
  },
  close: stop,
  async say({ conversation, text }) {
    pin({ board: conversation, author: "ada", text });
    return { conversation, text };
  },
  async saySelf({ conversation, text }) {
    pin({ board: conversation, author: "spoolway", text });
  },
  keepsWhileAway: true,
  offlineWithoutServer: true,
  async heard(conversation) {
    return notes.filter((note) => note.board === conversation).map((note) => note.text);
  },
  refused: { message: { text: "" }, error: /a note needs a text/ },
  badCredentials: (entry) => ({ ...entry, token: "wrong" }),
  logins: async () => logins,
  server: { stop, start: listen },
});
