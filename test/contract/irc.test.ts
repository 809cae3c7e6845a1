// The contract for IRC, on a real ngircd. A proxy stands between the connector and the server, so that the observer is in the channel before the connector comes
// back: IRC keeps nothing for who is late.
import { type Proxy, startProxy } from "../helpers/proxy.ts";
import { missingServer } from "../helpers/servers/daemon.ts";
import { IrcUser } from "../helpers/servers/ircUser.ts";
import { makeNgircd, type Ngircd } from "../helpers/servers/ngircd.ts";
import { contract } from "./suite.ts";

const password = "sesame";
const channels = ["#dev", "#ops"];

let server: Ngircd;
let proxy: Proxy;
let observers: IrcUser[] = [];
let probes = 0;

const observer = (): IrcUser => {
  const last = observers.at(-1);
  if (!last) throw new Error("there is no observer");
  return last;
};

async function enter(): Promise<void> {
  observers.push(await IrcUser.connect(server.port, "ada", channels, password));
  proxy.mode = "pass";
}

contract({
  type: "irc",
  conversation: "#dev",
  otherConversation: "#ops",
  missing: missingServer("ngircd"),
  offlineWithoutServer: true,

  async open({ folder }) {
    server = await makeNgircd({ folder, password });
    await server.start();
    proxy = await startProxy(server.port);
    observers = [];
    await enter();
    return {
      server: "127.0.0.1",
      port: proxy.port,
      tls: false,
      nick: "bot",
      password,
      channels,
      membership: true,
      // Twenty messages in a row would take ten seconds at the default pace.
      flood: { burst: 4, per_second: 50 },
    };
  },
  async close() {
    for (const user of observers) user.close();
    await server.kill();
  },

  async say({ conversation, text }) {
    const user = observer();
    user.say(conversation, text);
    // The server works off a user's lines in order.
    const token = `said-${(probes += 1)}`;
    user.send(`PING ${token}`);
    await user.saw((line) => line.command === "PONG" && line.params.includes(token));
    return { conversation, text };
  },
  happens: {
    async membership() {
      observers.unshift(await IrcUser.connect(server.port, "bob", channels, password));
      return { sender: { id: "bob" }, conversation: { id: "#dev" } };
    },
  },
  // ngircd has no tags of messages; inspircd has.
  shownElsewhere: { replies: "test/unit/irc/inspircd.test.ts" },
  async heard(conversation) {
    return observers.flatMap((user) => user.heard(conversation));
  },
  refused: { message: { conversation_id: "nobody", text: "is anybody there?" }, error: /no such nick/i },
  oversize: { text: "👩🏽‍🚀👨‍👩‍👧‍👦 สวัสดีชาวโลก السلام عليكم ".repeat(40), becomes: "parts" },

  server: {
    async stop() {
      proxy.mode = "refuse";
      await server.stop();
    },
    async kill() {
      proxy.mode = "refuse";
      await server.kill();
    },
    async start() {
      await server.start();
      await enter();
    },
  },
  badCredentials: (entry) => ({ ...entry, password: "wrong" }),
  logins: async () => proxy.connections,
});
