// A bus with the slack connector, live on a fresh fake of Slack.
import { type Bus, type BusOptions, startBus } from "../bus.ts";
import { atEnd } from "../children.ts";
import { freePort } from "../ports.ts";
import { appToken, botToken, SlackServer } from "./slack.ts";

export const general = "C0GENERAL";

export interface SlackCase {
  slack: SlackServer;
  bus: Bus;
  port: number;
}

/** `prepare`: before the connector is there. */
export async function startSlack(
  prepare: (slack: SlackServer) => void = () => undefined,
  until: BusOptions["until"] = "live",
): Promise<SlackCase> {
  const slack = new SlackServer();
  const port = await freePort();
  slack.publicHost = `127.0.0.1:${port}`;
  await slack.listen(port);
  atEnd(() => slack.close());
  prepare(slack);
  const api_url = `http://${slack.publicHost}/api`;
  const bus = await startBus({
    connectors: [{ name: "slack", type: "slack", app_token: appToken, bot_token: botToken, api_url }],
    defaults: {
      connector: { settle: "300ms", probe_every: "2s", retry: { attempts: 8, base: "200ms", max: "2s" } },
      supervisor: { backoff_base: "200ms", backoff_max: "2s" },
    },
    until,
  });
  return { slack, bus, port };
}
