// Discord in the sandbox, with its API granted and nothing else: the HTTP API, the gateway and its resumption, files both ways.
import { expect, test } from "vitest";
import { sandboxProblem } from "../../runtime/sandbox/available.ts";
import { atEnd } from "../helpers/children.ts";
import { startConnector } from "../helpers/connectorProcess.ts";
import { Discord } from "../helpers/servers/discord.ts";
import { devId, say, seen } from "../helpers/servers/discordBus.ts";
import { waitFor } from "../helpers/wait.ts";

const missing = sandboxProblem();
if (missing !== undefined) console.error(`SKIPPED: discord in the sandbox. ${missing.message}`);

test.skipIf(missing !== undefined)("it works as it does outside", { timeout: 120_000 }, async () => {
  const discord = new Discord();
  await discord.start();
  atEnd(() => discord.stop());
  discord.world.addChannel({ id: devId, type: 0, name: "dev" });
  const host = `127.0.0.1:${discord.port}`;
  const one = await startConnector({
    type: "discord",
    token: discord.token,
    api_url: `http://${host}/api`,
    runtime: { sandbox: true },
    grants: { network: [host] },
  });
  await one.waitForState("live");
  const bytes = Buffer.from("some bytes");
  const file = { name: "in.txt", bytes, mediaType: "text/plain" };
  discord.world.add(devId, discord.world.user("ada"), "a file", {}, [file]);
  const event = await one.waitForEvent("a file", { timeoutMs: 30_000 });
  expect(event.content?.attachments).toMatchObject([
    { name: "in.txt", size: bytes.length, path: expect.stringMatching(/^media/) },
  ]);
  one.drop("one", bytes, "out.txt");
  const given = { conversation_id: devId, text: "here", attachments: [{ path: "out.txt" }] };
  await one.waitForReceipt("one", one.send("one", given), { timeoutMs: 30_000 });
  expect(seen(discord, devId)).toContain("here");
  expect([...discord.world.files.values()].map(({ name }) => name)).toEqual(["in.txt", "out.txt"]);
  discord.gateway.cut({ sessions: true });
  await waitFor(() => discord.gateway.logins.includes("resume"), { timeoutMs: 30_000 });
  say(discord, devId, "after the loss");
  await one.waitForEvent("after the loss", { timeoutMs: 30_000 });
});
