// A bus with one Discord connector on a Discord of its own, with two channels and a thread: for the cases that only Discord has.
import { type Bus, startBus, type Until } from "../bus.ts";
import { atEnd } from "../children.ts";
import { Discord } from "./discord.ts";
import type { Message } from "./discordWorld.ts";

export const devId = "1162000000000000001";
export const opsId = "1162000000000000002";
export const threadId = "1162000000000000003";
export const name = "discord";

export async function openDiscord(
  more: object = {},
  until: Until = "live",
): Promise<{ discord: Discord; bus: Bus }> {
  const discord = new Discord();
  await discord.start();
  atEnd(() => discord.stop());
  discord.world.addChannel({ id: devId, type: 0, name: "dev" });
  discord.world.addChannel({ id: opsId, type: 0, name: "ops" });
  discord.world.addChannel({ id: threadId, type: 11, name: "thread", parent_id: devId });
  const api_url = `http://127.0.0.1:${discord.port}/api`;
  const bus = await startBus({
    connectors: [{ name, type: "discord", token: discord.token, api_url, ...more }],
    defaults: {
      connector: { retry: { attempts: 4, base: "200ms", max: "1s" } },
      supervisor: { backoff_base: "200ms" },
    },
    until,
  });
  return { discord, bus };
}

export const say = (discord: Discord, channel: string, text: string, more: object = {}): Message =>
  discord.world.add(channel, discord.world.user("ada"), text, { ...more });

/** Of all events, in order. */
export const texts = (bus: Bus): string[] => bus.events().map((event) => event.content?.text ?? "");

/** What people see in a channel. */
export const seen = (discord: Discord, channel: string): string[] =>
  (discord.world.messages.get(channel) ?? []).map(({ content }) => content);
