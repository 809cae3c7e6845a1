// The contract's cases where something dies or is away: the connector, the supervisor, the platform's server, the right credentials.
import { expect, test } from "vitest";
import { staysTrue } from "../helpers/wait.ts";
import type { Platform } from "./platform.ts";
import { heardText, newText, openPlatform, receivesOne, sendsOne, startCase } from "./case.ts";

/** Declares them; what the platform cannot show is left out. */
export function failureCases(platform: Platform): void {
  const { heard, server, badCredentials, logins, conversation } = platform;

  test("both directions go on after the connector is killed with SIGKILL", async () => {
    const now = await startCase(platform, await openPlatform(platform));
    await receivesOne(now);
    await sendsOne(now);
    await now.bus.killConnector(now.name);
    await platform.attach?.(now.bus);
    await receivesOne(now);
    await sendsOne(now);
  });

  test("both directions go on after the supervisor is killed with SIGKILL and started again", async () => {
    const now = await startCase(platform, await openPlatform(platform));
    const { bus, name } = now;
    await receivesOne(now);
    await bus.kill();
    const waiting = newText("dropped while nothing ran");
    const id = heard ? bus.send(name, { conversation_id: conversation, text: waiting }) : undefined;
    await bus.start();
    await platform.attach?.(bus);
    if (id !== undefined) {
      await heardText(platform, waiting, conversation);
      await bus.waitForReceipt(name, id, { timeoutMs: 30_000 });
    }
    await receivesOne(now);
    await sendsOne(now);
  });

  test("paused, it has no process and sends nothing; resumed, it sends what waited", async () => {
    const { bus, name } = await startCase(platform, await openPlatform(platform));
    bus.pause(name, "for the test");
    await bus.waitForConnector(name, (status) => status.state === "paused" && status.pid === undefined);
    const text = newText("waited");
    const id = heard ? bus.send(name, { conversation_id: conversation, text }) : undefined;
    await staysTrue(() => bus.connector(name)?.state === "paused", 700, "paused");
    if (id !== undefined) expect(bus.list(`outbox/${name}`)).toHaveLength(1);
    bus.resume(name);
    await bus.waitForConnector(name, "live");
    await platform.attach?.(bus);
    if (id !== undefined) {
      await heardText(platform, text, conversation);
      await bus.waitForReceipt(name, id);
    }
  });

  if (server) {
    const offline = platform.offlineWithoutServer ? "offline" : "live";

    test("started before its server, it waits for it, and nothing is lost", async () => {
      const entry = await openPlatform(platform);
      await server.stop();
      const now = await startCase(platform, entry, offline);
      const text = newText("before the server");
      const id = heard ? now.bus.send(now.name, { conversation_id: conversation, text }) : undefined;
      await server.start();
      await now.bus.waitForConnector(now.name, "live", { timeoutMs: 60_000 });
      await platform.attach?.(now.bus);
      if (id !== undefined) {
        await heardText(platform, text, conversation);
        await now.bus.waitForReceipt(now.name, id, { timeoutMs: 30_000 });
      }
      await receivesOne(now);
    });

    test("both directions go on after the server dies and comes back", async () => {
      const now = await startCase(platform, await openPlatform(platform));
      const { bus, name } = now;
      await receivesOne(now);
      await sendsOne(now);
      const pid = bus.connector(name)?.pid;
      await (server.kill ?? server.stop)();
      if (platform.offlineWithoutServer) {
        await bus.waitForConnector(
          name,
          (status) => status.state === "offline" || status.state === "failing",
        );
      }
      const text = newText("while the server was away");
      const id = heard ? bus.send(name, { conversation_id: conversation, text }) : undefined;
      await server.start();
      await bus.waitForConnector(name, "live", { timeoutMs: 60_000 });
      if (id !== undefined) {
        await heardText(platform, text, conversation);
        await bus.waitForReceipt(name, id, { timeoutMs: 30_000 });
      }
      await receivesOne(now);
      await sendsOne(now);
      expect(bus.connector(name)?.pid, "a lost server must not end the process").toBe(pid);
    });
  }

  if (badCredentials) {
    test("wrong credentials stop it, say what to do, and are not tried again", async () => {
      const entry = await openPlatform(platform);
      const until = { [platform.type]: "stopped" } as const;
      const { bus, name } = await startCase(platform, badCredentials(entry), until);
      const status = bus.connector(name);
      expect(status?.user_action ?? "").not.toBe("");
      expect(status?.last_exit ?? "").toContain("100");
      const before = await logins?.();
      await staysTrue(() => bus.connector(name)?.state === "stopped", 3000, "stopped");
      expect(await logins?.()).toBe(before);
      const id = heard ? bus.send(name, { conversation_id: conversation, text: newText("kept") }) : undefined;
      bus.configure([{ name, type: platform.type, ...entry }]);
      await bus.waitForConnector(name, "live");
      if (id !== undefined) await bus.waitForReceipt(name, id);
    });
  }
}
