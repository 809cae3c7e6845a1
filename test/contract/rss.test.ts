// The contract for feeds, on a web server of the test's own. A proxy stands before it for the case where a connection is open and dead.
import { randomUUID } from "node:crypto";
import { type Proxy, startProxy } from "../helpers/proxy.ts";
import { FeedServer } from "../helpers/servers/feedServer.ts";
import { contract } from "./suite.ts";

let server: FeedServer;
let proxy: Proxy;
/** Has to be known before it is opened; the connector gets it as its address. */
let address = "";
let temporary = "";

contract({
  type: "rss",
  conversation: "/atom.xml",
  keepsWhileAway: true,
  offlineWithoutServer: true,

  async open({ folder }) {
    temporary = folder;
    server = new FeedServer();
    await server.start();
    proxy = await startProxy(server.port);
    address = `http://127.0.0.1:${proxy.port}`;
    server.add("/atom.xml", "atom");
    server.login = "ada:secret";
    return {
      feeds: [`${address}/atom.xml`],
      login: { username: "ada", password: "secret" },
      backlog: 100,
      attachments: "same_host",
      timeout_s: 2,
      runtime: { sync_every: "200ms" },
    };
  },
  close: () => server.stop(),

  async say({ conversation, text }) {
    const id = `urn:uuid:${randomUUID()}`;
    server.publish(conversation, {
      id,
      title: "news",
      text,
      author: "Ada",
      published: new Date().toISOString(),
    });
    return { conversation, text, key: id };
  },
  async sayAgain({ conversation }) {
    server.touch(conversation);
  },
  async sayFile({ conversation, name, bytes }) {
    const path = `/files/${encodeURIComponent(name)}`;
    server.file(path, bytes);
    const file = { url: path, name, type: "application/octet-stream", size: bytes.length };
    server.publish(conversation, { id: randomUUID(), text: "a file", file });
  },
  async sayBigFile(size) {
    const sha256 = await server.bigFile("/big.bin", temporary, size);
    const file = { url: "/big.bin", name: "big.bin", type: "application/octet-stream", size };
    server.publish("/atom.xml", { id: randomUUID(), text: "a large file", file });
    return sha256;
  },
  happens: {
    async item({ conversation }) {
      server.publish(conversation, { id: "urn:1", title: "A title", text: "its text", author: "Bob" });
      return {
        platform_id: "urn:1",
        conversation: { id: `${address}${conversation}`, type: "channel", name: "Example" },
        sender: { id: "Bob" },
        content: { subject: "A title", text: "its text" },
      };
    },
    async edit({ conversation, key = "" }) {
      server.edit(conversation, key, { text: "corrected", updated: "2026-11-21T12:00:00Z" });
      return { platform_id: key, content: { text: "corrected" }, occurred_at: "2026-11-21T12:00:00.000Z" };
    },
  },
  server: {
    stop: () => server.stop(),
    start: async () => {
      if (proxy.mode === "blackhole") proxy.reset();
      else await server.start();
      proxy.mode = "pass";
    },
    freeze: () => {
      proxy.mode = "blackhole";
    },
  },
  badCredentials: (entry) => ({ ...entry, login: { username: "ada", password: "wrong" } }),
  logins: async () => server.requests.length,
});
