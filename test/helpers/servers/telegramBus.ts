// A bus with a bot on a fake of Telegram's own server, for the cases that only Telegram has.
import { type Bus, startBus } from "../bus.ts";
import { atEnd } from "../children.ts";
import { freePort } from "../ports.ts";
import { waitFor } from "../wait.ts";
import { Telegram } from "./telegram.ts";
import { TelegramServer } from "./telegramServer.ts";

export const token = "7000000001:AAF-fake_token_of_these_cases";
export const [group, direct] = [-1001, 5_000_000_001];
export const name = "telegram";

export interface TelegramBus {
  telegram: Telegram;
  server: TelegramServer;
  bus: Bus;
}

/** A group and a private chat; the connector is live, unless told otherwise. */
export async function startTelegram(
  config: Record<string, unknown> = {},
  prepare: (server: TelegramServer) => string = () => "live",
): Promise<TelegramBus> {
  const telegram = new Telegram();
  telegram.open({ id: group, type: "supergroup", title: "Dev" });
  telegram.open({ id: direct, type: "private", first_name: "Ada", username: "ada" });
  const server = new TelegramServer(telegram, { token, port: await freePort() });
  await server.start();
  atEnd(() => server.stop());
  const until = prepare(server) as "live";
  const bus = await startBus({
    connectors: [{ name, type: "telegram", token, api_url: server.url, ...config }],
    defaults: {
      connector: { settle: "300ms", probe_every: "2s", retry: { attempts: 8, base: "200ms", max: "2s" } },
      supervisor: { backoff_base: "200ms", backoff_max: "2s" },
    },
    until: { [name]: until },
  });
  // With its first question the bot says which updates it wants; others are not kept for it.
  if (until === "live") await waitFor(() => server.polls > 0, { message: "the first poll" });
  return { telegram, server, bus };
}
