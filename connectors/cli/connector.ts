// The console: what is sent to it is printed on stdout and shown to the chats of its conversation; what a chat says is an event.
// The runtime starts a connector in its own folder, spool/state/<name>: the socket's path is relative because a unix socket's path may have
// only about 100 bytes.
import { once } from "node:events";
import { userInfo } from "node:os";
import { type Context, defineConnector, uncertain } from "spoolway/sdk";
import { type ChatServer, openChatServer, type Said } from "./chat-server.ts";
import { asLines } from "./print.ts";

const socketPath = "chat.sock";

export default defineConnector<Record<string, never>, ChatServer>({
  connect: (ctx) =>
    openChatServer(socketPath, {
      deliver: (said) => deliver(said, ctx),
      tooSlow: () => ctx.log.warn("chat.too_slow"),
    }),

  /** The server receives; this only lasts as long as the session. */
  async receive(_chats, { signal }) {
    if (!signal.aborted) await once(signal, "abort");
  },

  /** Done when the terminal, pipe or file behind stdout has the whole of it. */
  async send(chats, message) {
    await print(asLines(message));
    chats.show(message);
    return { platform_id: message.id };
  },

  probe: (chats) => chats.probe(),
  close: (chats) => chats.close(),
});

async function deliver(said: Said, ctx: Context): Promise<string> {
  const user = userInfo().username;
  const { id } = await ctx.deliver({
    ...(said.id === undefined ? {} : { key: [said.conversation, said.id], platform_id: said.id }),
    occurred_at: new Date().toISOString(),
    sender: { id: said.sender ?? user, username: said.sender ?? user, is_bot: false, is_self: false },
    conversation: { id: said.conversation, type: "direct" },
    content: { text: said.text, format: "plain" },
  });
  return id;
}

function print(text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(text, (error) => {
      if (error) reject(uncertain(`stdout: ${error.message}`, { cause: error }));
      else resolve();
    });
  });
}
