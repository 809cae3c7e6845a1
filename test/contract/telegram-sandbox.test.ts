// The connector in the sandbox, with nothing granted but the Bot API: both directions, files too.
import { createHash, randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { sandboxProblem } from "../../runtime/sandbox/available.ts";
import { atEnd } from "../helpers/children.ts";
import { startConnector } from "../helpers/connectorProcess.ts";
import { freePort } from "../helpers/ports.ts";
import { direct, token } from "../helpers/servers/telegramBus.ts";
import { Telegram } from "../helpers/servers/telegram.ts";
import { TelegramServer } from "../helpers/servers/telegramServer.ts";

const missing = sandboxProblem();
if (missing !== undefined) console.error(`SKIPPED: telegram in the sandbox. ${missing.message}`);

test.skipIf(missing !== undefined)(
  "in the sandbox it says and hears what it does without",
  { timeout: 120_000 },
  async () => {
    const telegram = new Telegram();
    telegram.open({ id: direct, type: "private", first_name: "Ada" });
    const server = new TelegramServer(telegram, { token, port: await freePort() });
    await server.start();
    atEnd(() => server.stop());
    const one = await startConnector({
      type: "telegram",
      token,
      api_url: server.url,
      runtime: { sandbox: true },
      grants: { network: [server.url.replace("http://", "")] },
    });
    await one.waitForState("live");
    const bytes = randomBytes(300_000);
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    telegram.say(direct, {
      document: telegram.upload("documents/a.bin", bytes.length, bytes),
      caption: "a file",
    });
    const event = await one.waitForEvent("a file");
    expect(event.content?.attachments).toMatchObject([{ name: "a.bin", sha256 }]);
    writeFileSync(join(one.spool, "outbox/one/b.bin"), bytes);
    const id = one.send("one", {
      conversation_id: String(direct),
      text: "yours",
      attachments: [{ path: "b.bin" }],
    });
    await one.waitForReceipt("one", id);
    expect(telegram.sent(direct)).toMatchObject([
      { caption: "yours", document: { file_name: "b.bin", sha256 } },
    ]);
    expect((await one.stop()).code).toBe(0);
  },
);
