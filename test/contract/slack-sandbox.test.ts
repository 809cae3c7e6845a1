// Slack in the sandbox, with its API granted and nothing else: Web API, Socket Mode, files both ways.
import { expect, test } from "vitest";
import { sandboxProblem } from "../../runtime/sandbox/available.ts";
import { startConnector } from "../helpers/connectorProcess.ts";
import { atEnd } from "../helpers/children.ts";
import { freePort } from "../helpers/ports.ts";
import { appToken, botToken, SlackServer } from "../helpers/servers/slack.ts";
import { general } from "../helpers/servers/slackBus.ts";

const missing = sandboxProblem();
if (missing !== undefined) console.error(`SKIPPED: slack in the sandbox. ${missing.message}`);

test.skipIf(missing !== undefined)("it works as it does outside", { timeout: 120_000 }, async () => {
  const slack = new SlackServer();
  const port = await freePort();
  slack.publicHost = `127.0.0.1:${port}`;
  await slack.listen(port);
  atEnd(() => slack.close());
  const one = await startConnector({
    type: "slack",
    app_token: appToken,
    bot_token: botToken,
    api_url: `http://${slack.publicHost}/api`,
    runtime: { sandbox: true },
    grants: { network: [slack.publicHost] },
  });
  await one.waitForState("live");
  const bytes = Buffer.from("some bytes");
  const file = slack.files.put(`http://${slack.publicHost}`, "in.txt", bytes.length, () => [bytes]);
  slack.say(general, "a file", { subtype: "file_share", files: [file] });
  const event = await one.waitForEvent("a file", { timeoutMs: 30_000 });
  expect(event.content?.attachments).toMatchObject([{ name: "in.txt", size: bytes.length }]);
  one.drop("one", bytes, "out.txt");
  const given = { conversation_id: general, text: "here", attachments: [{ path: "out.txt" }] };
  await one.waitForReceipt("one", one.send("one", given), { timeoutMs: 30_000 });
  expect(slack.texts(general)).toContain("here");
  expect(slack.files.biggest?.size).toBe(bytes.length);
});
