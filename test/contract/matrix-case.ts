// What the cases of Matrix alone stand on: a homeserver with one room, and a bus whose bot is in it.
import { type Bus, startBus } from "../helpers/bus.ts";
import { atEnd } from "../helpers/children.ts";
import { MatrixHomeserver } from "../helpers/servers/matrixHomeserver.ts";
import type { Content } from "../helpers/servers/matrixRooms.ts";

export const [ada, bob, bot] = ["@ada:test", "@bob:test", "@bot:test"] as const;
export const room = "!dev:test";
export const name = "matrix";

export interface MatrixCase {
  server: MatrixHomeserver;
  bus: Bus;
  /** Of the bot. */
  token: string;
}

/** `entry`: more keys of the connector. `prepare`: what has to be so before it connects. Both end with the test. */
export async function openMatrix(
  entry: object = {},
  prepare: (server: MatrixHomeserver) => void = () => undefined,
): Promise<MatrixCase> {
  const server = new MatrixHomeserver();
  await server.start();
  atEnd(() => server.stop());
  server.rooms.create("dev", [ada, bob, bot], { name: "Development" });
  const token = server.logIn("bot", "BUS");
  prepare(server);
  const settings = {
    homeserver: server.url,
    access_token: token,
    poll_s: 1,
    runtime: { sync_every: "50ms" },
  };
  const bus = await startBus({ connectors: [{ name, type: "matrix", ...settings, ...entry }] });
  return { server, token, bus };
}

export const text = (body: unknown, more: Content = {}): Content => ({ msgtype: "m.text", body, ...more });

/** What our account has sent into a room, as it is there. */
export const sentIn = ({ rooms }: MatrixHomeserver, id = room): Content[] =>
  rooms
    .room(id)
    .events.filter(({ event }) => event.sender === bot && event.type === "m.room.message")
    .map(({ event }) => event.content);
