// The contract for CalDAV, on a real Radicale. A front stands before it, for answers that do not come, and answers that ask to wait.
import { missingServer } from "../helpers/servers/daemon.ts";
import { type DavFront, startFront } from "../helpers/servers/davFront.ts";
import {
  icalOf,
  makeRadicale,
  password,
  propertyOf,
  type Radicale,
  user,
} from "../helpers/servers/radicale.ts";
import type { Said } from "./platform.ts";
import { contract } from "./suite.ts";

const [team, home] = [`/${user}/team/`, `/${user}/home/`];

let server: Radicale;
let front: DavFront;
let early = 0;
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
  conversation: team,
  otherConversation: home,
  missing: missingServer("radicale"),
  offlineWithoutServer: true,
  keepsWhileAway: true,

  async open({ folder }) {
    server = await makeRadicale(folder);
    await server.start();
    await server.makeCalendar(team, "Team");
    await server.makeCalendar(home, "Home");
    front = await startFront(server.port);
    clockS = Math.floor(Date.now() / 1000);
    return { server: front.url, user, password, runtime: { sync_every: "200ms" } };
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

  swallowAnswers(on) {
    const swallow: DavFront["after"] = ({ method }, answer) => (method === "PUT" ? "silence" : answer);
    front.after = on ? swallow : (_asked, answer) => answer;
  },
  rateLimit: {
    impose(seconds) {
      let untilMs: number | undefined;
      early = 0;
      front.instead = ({ method }) => {
        if (method !== "PUT" || (untilMs !== undefined && Date.now() >= untilMs)) return undefined;
        if (untilMs !== undefined) early += 1;
        untilMs ??= Date.now() + seconds * 1000;
        return { status: 429, headers: { "retry-after": String(seconds) }, body: "slow down" };
      };
    },
    early: () => early,
  },
  server: {
    async stop() {
      await front.close();
      await server.stop();
    },
    async kill() {
      await front.close();
      await server.kill();
    },
    async start() {
      if (!front.isFrozen) {
        await server.start();
        await front.listen();
      }
      front.isFrozen = false;
    },
    freeze: () => void (front.isFrozen = true),
  },
  badCredentials: (entry) => ({ ...entry, password: "wrong" }),
  logins: () => Promise.resolve(front.asked.length),
});
