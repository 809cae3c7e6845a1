// The contract for CalDAV, on a real Radicale. A proxy stands before it, for a network that goes silent.
import { setTimeout as sleep } from "node:timers/promises";
import { type Proxy, startProxy } from "../helpers/proxy.ts";
import { missingServer } from "../helpers/servers/daemon.ts";
import {
  icalOf,
  makeRadicale,
  password,
  propertyOf,
  type Radicale,
  user,
} from "../helpers/servers/radicale.ts";
import { waitFor } from "../helpers/wait.ts";
import type { Said } from "./platform.ts";
import { contract } from "./suite.ts";

const [work, home] = [`/${user}/work/`, `/${user}/home/`];

let server: Radicale;
let proxy: Proxy;
let count = 0;
/** The clock of the people's calendar programs: each change has a second of its own. */
let clockS = 0;

const pathOf = ({ conversation, key = "" }: Said): string => `${conversation}${key}.ics`;

async function write(said: Said, summary = said.text): Promise<void> {
  const body = icalOf({ uid: said.key ?? "", summary, changedS: (clockS += 1) });
  await server.ask("PUT", pathOf(said), body, { "content-type": "text/calendar" });
}

const textOf = (text: string): string => propertyOf(text, "DESCRIPTION") ?? propertyOf(text, "SUMMARY") ?? "";

contract({
  type: "caldav",
  conversation: work,
  otherConversation: home,
  missing: missingServer("radicale"),
  offlineWithoutServer: true,
  keepsWhileAway: true,

  async open({ folder }) {
    server = await makeRadicale(folder);
    await server.start();
    await server.makeCalendar(work, "Work");
    await server.makeCalendar(home, "Home");
    proxy = await startProxy(server.port);
    clockS = Math.floor(Date.now() / 1000);
    return { server: `http://127.0.0.1:${proxy.port}/`, user, password, runtime: { sync_every: "1s" } };
  },
  close: () => server.kill(),

  async say({ conversation, text }) {
    const said = { conversation, text, key: `people-${(count += 1)}` };
    await write(said);
    return said;
  },
  async sayAgain(said) {
    // The very same entry, written once more.
    const body = await (await server.ask("GET", pathOf(said))).text();
    await server.ask("PUT", pathOf(said), body, { "content-type": "text/calendar" });
  },

  heard: (conversation) => Promise.resolve(server.entries(conversation).map(({ text }) => textOf(text))),
  refused: {
    message: { conversation_id: `/${user}/no-such-calendar/`, text: "nowhere" },
    error: /40\d/,
  },

  happens: {
    async item({ conversation }) {
      const said = { conversation, text: `dentist ${(count += 1)}`, key: `people-${count}` };
      await write(said);
      return { platform_id: pathOf(said), content: { subject: said.text } };
    },
    async edit(said) {
      await write(said, `${said.text}, later`);
      return { content: { text: `${said.text}, later` } };
    },
    async delete(said) {
      await server.ask("DELETE", pathOf(said));
      return { kind: "delete" };
    },
  },
  did: {
    edit: ({ conversation, text }) =>
      Promise.resolve(server.entries(conversation).some((one) => textOf(one.text) === `${text}, corrected`)),
    delete: ({ conversation, platformId }) =>
      Promise.resolve(!server.entries(conversation).some(({ path }) => path === platformId)),
  },

  /** Between two readings: one whose answer is swallowed would end the session before anything is sent. */
  async swallowAnswers(on) {
    const before = proxy.connections;
    if (on) await waitFor(() => proxy.connections > before, { everyMs: 10 });
    if (on) await sleep(200);
    proxy.mode = on ? "swallow" : "pass";
    if (!on) proxy.reset();
  },
  server: {
    stop: () => server.stop(),
    kill: () => server.kill(),
    start: async () => {
      if (proxy.mode === "pass") await server.start();
      proxy.mode = "pass";
    },
    freeze: () => void (proxy.mode = "blackhole"),
  },
  badCredentials: (entry) => ({ ...entry, password: "wrong" }),
  logins: () => Promise.resolve(proxy.connections),
});
