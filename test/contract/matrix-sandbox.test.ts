// Matrix in the sandbox, with its homeserver granted and nothing else: both directions, files too.
import { createHash, randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { sandboxProblem } from "../../runtime/sandbox/available.ts";
import { atEnd } from "../helpers/children.ts";
import { startConnector } from "../helpers/connectorProcess.ts";
import { MatrixHomeserver } from "../helpers/servers/matrixHomeserver.ts";

const missing = sandboxProblem();
if (missing !== undefined) console.error(`SKIPPED: Matrix in the sandbox. ${missing.message}`);

test.skipIf(missing !== undefined)("in the sandbox messages and files go both ways", async () => {
  const server = new MatrixHomeserver();
  await server.start();
  atEnd(() => server.stop());
  const room = server.rooms.create("dev", ["@ada:test", "@bot:test"]).id;
  const one = await startConnector({
    type: "matrix",
    homeserver: server.url,
    access_token: server.logIn("bot", "BUS"),
    poll_s: 1,
    runtime: { sandbox: true, sync_every: "100ms" },
    grants: { network: [new URL(server.url).host] },
  });
  await one.waitForState("live");

  const bytes = randomBytes(300_000);
  const url = server.media.add(bytes);
  server.say("@ada:test", room, { msgtype: "m.file", body: "a.bin", url });
  const event = await one.waitForEvent((some) => some.content?.attachments !== undefined);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  expect(event.content?.attachments).toMatchObject([{ name: "a.bin", sha256, size: bytes.length }]);

  writeFileSync(join(one.spool, "outbox/one/b.bin"), bytes);
  const drop = { conversation_id: room, text: "from inside", attachments: [{ path: "b.bin" }] };
  await one.waitForReceipt("one", one.send("one", drop));
  const sent = server.rooms.room(room).events.filter(({ txn }) => txn !== undefined);
  expect(sent.map(({ event }) => event.content.body)).toEqual(["from inside", "b.bin"]);
  expect(server.media.of(String(sent[1]?.event.content.url))).toMatchObject({ size: bytes.length, sha256 });
  expect((await one.stop()).code).toBe(0);
});
