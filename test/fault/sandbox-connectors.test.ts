// Connectors as they are shipped, and the tests' own, in the sandbox, with what they need granted: both directions, over the real protocols.
import { createHash, randomBytes } from "node:crypto";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sandboxProblem } from "../../runtime/sandbox/available.ts";
import { projectRoot } from "../helpers/command.ts";
import { startConnector } from "../helpers/connectorProcess.ts";
import { freePort } from "../helpers/ports.ts";
import { missingServer } from "../helpers/servers/daemon.ts";
import { IrcUser } from "../helpers/servers/ircUser.ts";
import { makeNgircd } from "../helpers/servers/ngircd.ts";
import { startWire, wireType } from "../helpers/servers/wire.ts";
import { waitFor } from "../helpers/wait.ts";

const missing = sandboxProblem();
if (missing !== undefined) console.error(`SKIPPED: the tests of the sandbox. ${missing.message}`);

const runtime = { sandbox: true };

/** A program that says of each attachment what it read, and answers. */
const reader = `
import hashlib, json, os, sys
print(json.dumps({"ready": True}), flush=True)
for line in sys.stdin:
    line = json.loads(line)
    if "send" not in line: continue
    message = line["send"]
    sums = [hashlib.sha256(open(one["path"], "rb").read()).hexdigest() for one in message.get("attachments") or []]
    print(json.dumps({"sent": message["id"]}), flush=True)
    print(json.dumps({"conversation_id": "c", "content": {"text": " ".join(["read", *sums]), "attachments": [{"path": "own.bin"}]}}), flush=True)
`;

describe.skipIf(missing !== undefined)("in the sandbox", () => {
  let folder: string;
  beforeAll(() => (folder = mkdtempSync(join(tmpdir(), "spoolway-sandbox-"))));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test("a client of a TCP protocol that knows nothing of it reaches what was granted", async () => {
    const wire = await startWire(() => ({ answer: "ok", afterMs: 0 }));
    const address = `127.0.0.1:${wire.port}`;
    const one = await startConnector({
      type: wireType,
      port: wire.port,
      runtime,
      grants: { network: [address] },
    });
    await waitFor(() => wire.connected, { message: () => `the connection\n${one.logs()}` });
    wire.say("c", "from outside");
    const event = await one.waitForEvent("from outside");
    expect(event.connector.instance).toBe("one");
    await one.waitForReceipt("one", one.send("one", { conversation_id: "c", text: "from inside" }));
    expect(wire.arrivals.get("c")?.map(({ text }) => text)).toEqual(["from inside"]);
    expect((await one.stop()).code).toBe(0);
  });

  test("a program of exec reads what was granted and the attachments it is sent", async () => {
    const program = join(folder, "program");
    writeFileSync(program, reader);
    const cwd = mkdtempSync(join(folder, "cwd-"));
    const own = randomBytes(100_000);
    writeFileSync(join(cwd, "own.bin"), own);
    const one = await startConnector({
      type: "exec",
      command: ["python3", program],
      cwd,
      ready: true,
      runtime,
      grants: { read: [program, cwd] },
    });
    await one.waitForState("live");
    const bytes = randomBytes(200_000);
    writeFileSync(join(one.spool, "outbox/one/a.bin"), bytes);
    const attachments = [{ path: "a.bin" }];
    await one.waitForReceipt("one", one.send("one", { conversation_id: "c", attachments }));
    const sha256 = (data: Buffer) => createHash("sha256").update(data).digest("hex");
    const event = await one.waitForEvent(`read ${sha256(bytes)}`);
    expect(event.content?.attachments).toMatchObject([
      { name: "own.bin", size: own.length, sha256: sha256(own) },
    ]);
    expect((await one.stop()).code).toBe(0);
  });

  test.skipIf(missingServer("ngircd") !== undefined)("irc talks to a real server", async () => {
    const server = await makeNgircd({ folder: join(folder, "ngircd") });
    await server.start();
    const ada = await IrcUser.connect(server.port, "ada", ["#dev"]);
    const address = `127.0.0.1:${server.port}`;
    const one = await startConnector({
      type: "irc",
      ...{ server: "127.0.0.1", port: server.port, tls: false, nick: "bot", channels: ["#dev"] },
      runtime,
      grants: { network: [address] },
    });
    await one.waitForState("live");
    ada.say("#dev", "hello bot");
    await one.waitForEvent("hello bot");
    await one.waitForReceipt("one", one.send("one", { conversation_id: "#dev", text: "hello ada" }));
    await waitFor(() => ada.heard("#dev").includes("hello ada"));
    expect((await one.stop()).code).toBe(0);
    ada.close();
    await server.kill();
  });

  test("webhook is reached on the port that it was granted", async () => {
    const port = await freePort();
    const one = await startConnector({
      type: "webhook",
      port,
      runtime,
      grants: { listen: [`127.0.0.1:${port}`] },
    });
    await one.waitForState("live");
    const post = async () => {
      const answer = await fetch(`http://127.0.0.1:${port}/`, {
        method: "POST",
        body: JSON.stringify({ text: "posted" }),
        headers: { "content-type": "application/json" },
      });
      return answer.status;
    };
    expect([await post(), one.logs()]).toEqual([202, expect.anything()]);
    await one.waitForEvent((event) => JSON.stringify(event.raw ?? event.content).includes("posted"));
    expect((await one.stop()).code).toBe(0);
  });

  test("nothing that was not granted can be reached", async () => {
    const wire = await startWire(() => ({ answer: "ok", afterMs: 0 }));
    const one = await startConnector({ type: wireType, port: wire.port, runtime });
    await one.waitForState("offline");
    expect(wire.hellos).toEqual([]);
    expect(one.heartbeat("one")?.error?.message).toContain("ECONNREFUSED");
    expect((await one.stop()).code).toBe(0);
  });

  test("a connector whose folder holds the spool is not started", async () => {
    const home = mkdtempSync(join(folder, "home-"));
    cpSync(join(projectRoot, "test/helpers/connectors/steady"), home, { recursive: true });
    mkdirSync(join(home, "spool"));
    const one = await startConnector({ type: "./", home, runtime });
    expect((await one.exited()).code).toBe(100);
    expect(one.endings).toMatchObject([
      { code: "sandbox_unsuitable", message: expect.stringContaining(`would show ${home}`) as string },
    ]);
  });
});
