// config/policy.yml with a running bus: what is granted works from inside the sandbox and nothing else does, and an edit reaches exactly those that it is about.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { stringify } from "yaml";
import { sandboxProblem } from "../../runtime/sandbox/available.ts";
import { type Bus, runCommand, startBus } from "../helpers/bus.ts";
import { freePort } from "../helpers/ports.ts";
import { waitFor } from "../helpers/wait.ts";

const missing = sandboxProblem();
if (missing !== undefined) console.error(`SKIPPED: the tests of the sandbox. ${missing.message}`);

/** Fetches each URL that it is sent, as any program would, and tells what came of it. */
const fetcher = `
import json, sys, urllib.request
for line in sys.stdin:
    message = json.loads(line)
    if "send" not in message: continue
    send = message["send"]
    try: text = urllib.request.urlopen(send["text"], timeout=20).read().decode()
    except Exception as error: text = f"failed: {error}"
    print(json.dumps({"conversation_id": send["conversation_id"], "text": text}), flush=True)
    print(json.dumps({"sent": send["id"]}), flush=True)
`;

type Grants = Record<string, { network?: string[]; listen?: Array<number | string> }>;

describe.skipIf(missing !== undefined)("a policy", () => {
  let folder: string;
  beforeAll(() => (folder = mkdtempSync(join(tmpdir(), "spoolway-policy-"))));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test("holds, and its edits reach exactly those that they are about", async () => {
    const server = createServer((_request, response) => response.end("the web page"));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void server.close());
    const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const port = await freePort();
    const runtime = { sandbox: true };
    const exec = { type: "exec", command: ["python3", "-c", fetcher], runtime };
    const connectors = [
      { name: "granted", ...exec },
      { name: "other", ...exec },
      { name: "web", type: "webhook", port, runtime },
    ];
    const home = mkdtempSync(join(folder, "home-"));
    mkdirSync(join(home, "config"));
    const write = (policy: Grants): void => {
      writeFileSync(join(home, "config/policy.yml"), stringify({ connectors: policy }));
    };
    const all = { granted: { network: [address] }, other: {}, web: { listen: [port] } };
    write(all);
    const bus = await startBus({ home, connectors, timeoutMs: 60_000 });
    const ask = async (name: string, url: string): Promise<string> => {
      const conversation = `${name}-${asked++}`;
      bus.send(name, { conversation_id: conversation, text: url });
      const event = await bus.waitForEvent(({ conversation: from }) => from?.id === conversation);
      return event.content?.text ?? "";
    };
    let asked = 0;

    // NO_PROXY holds only for the sandbox's own loopback; what is granted of the machine's is there too.
    expect(await ask("granted", `http://${address}/`)).toBe("the web page");
    expect(await ask("granted", "http://169.254.169.254/latest/")).toContain("403");
    expect(await ask("other", `http://${address}/`)).toContain("failed");
    expect(await fetch(`http://127.0.0.1:${port}/health`).then(({ status }) => status)).toBe(200);
    expect(lines(bus, "egress.refused")).toMatchObject([
      { connector: "granted", target: "http://169.254.169.254", code: "not_granted" },
    ]);
    await waitFor(() => lines(bus, "egress.closed").length === 1);
    expect(lines(bus, "egress.closed")).toMatchObject([{ connector: "granted", host: "127.0.0.1" }]);

    const pids = (): Array<number | undefined> => connectors.map(({ name }) => bus.connector(name)?.pid);
    const [granted, before, web] = pids();
    write({ ...all, other: { network: [address] } });
    await waitFor(() => bus.connector("other")?.state === "live" && bus.connector("other")?.pid !== before, {
      timeoutMs: 60_000,
    });
    expect(await ask("other", `http://${address}/`)).toBe("the web page");
    expect([pids()[0], pids()[2]]).toEqual([granted, web]);

    // A need that is not met any more ends the connector: it must not go on with what was taken back.
    write({ ...all, web: {} });
    await bus.waitForStates({ granted: "live", other: "live", web: "disabled" }, 60_000);
    expect(bus.connector("web")?.error?.message).toContain(`listen 127.0.0.1:${port}`);
    await expect(fetch(`http://127.0.0.1:${port}/health`)).rejects.toThrow();
    const check = await runCommand(["check", "--home", home]);
    expect(check.code).toBe(1);
    expect(check.stdout).toContain(
      `config/policy.yml say:\n    connectors:\n      web:\n        listen: ["127.0.0.1:${port}"]`,
    );
    expect(pids()[0]).toBe(granted);

    write(all);
    await bus.waitForStates("live", 60_000);
    expect(await fetch(`http://127.0.0.1:${port}/health`).then(({ status }) => status)).toBe(200);
    await bus.stop();
  }, 240_000);
});

function lines(bus: Bus, event: string): Array<Record<string, unknown>> {
  return bus
    .logs()
    .split("\n")
    .filter((line) => line.includes(`"${event}"`))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}
