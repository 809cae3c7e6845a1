// The irc connector behind a bouncer that stays in the channels: they are told with the welcome, and asked for again they are not told once more.
import { expect, test } from "vitest";
import { startLineServer } from "../../helpers/servers/lineServer.ts";
import { openSession, prepareSession } from "./session.ts";

/** As ZNC and soju answer: a JOIN of a channel that they are in leads to nothing. */
function bouncer(line: string): string[] | undefined {
  if (line.startsWith("PING ")) return [`:bnc PONG bnc ${line.slice(5)}`];
  if (!line.startsWith("USER ")) return undefined;
  return [
    ":bnc 001 bot :Welcome",
    ":bnc 005 bot CHANTYPES=# CASEMAPPING=ascii :are supported",
    ":bnc 422 bot :No MOTD",
    ":bot!bot@host JOIN #Dev",
  ];
}

test("channels that a bouncer is in already are known to be ours", async () => {
  const server = await startLineServer(bouncer);
  const session = await openSession({ port: server.port, channels: ["#dev"] });
  await session.send({ conversation_id: "#dev", text: "hello" });
  await server.saw("PRIVMSG #dev hello");
});

test("a server that takes no nick at all is tried again later", async () => {
  const server = await startLineServer((line) =>
    line.startsWith("NICK ") ? [`:irc 433 * ${line.slice(5)} :Nickname is already in use`] : undefined,
  );
  const session = prepareSession({ port: server.port });
  await expect(session.connect()).rejects.toMatchObject({
    fate: "reconnect",
    message: expect.stringContaining("taken"),
  });
  expect(server.lines.filter((line) => line.startsWith("NICK "))).toHaveLength(5);
});
