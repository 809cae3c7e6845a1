// The tests' own tools: if these lie, everything else does.
import { mkdtempSync, rmSync } from "node:fs";
import { createConnection, createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import { expect, test } from "vitest";
import { atEnd } from "../../helpers/children.ts";
import { startProxy } from "../../helpers/proxy.ts";
import { missingServer } from "../../helpers/servers/daemon.ts";
import { makeInspircd } from "../../helpers/servers/inspircd.ts";
import { IrcUser } from "../../helpers/servers/ircUser.ts";
import { makeNgircd } from "../../helpers/servers/ngircd.ts";

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "spoolway-helpers-"));
  atEnd(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

for (const [name, make] of [
  ["ngircd", makeNgircd],
  ["inspircd", makeInspircd],
] as const) {
  test.skipIf(missingServer(name))(
    `${name}: users talk, also after it was killed and started again`,
    async () => {
      const server = await make({ folder: temporaryFolder(), tls: true });
      atEnd(() => server.kill());
      for (let round = 0; round < 2; round++) {
        await server.start();
        const ada = await IrcUser.connect(server.port, "ada", ["#dev"]);
        const bob = await IrcUser.connect(server.port, "bob", ["#dev"]);
        ada.say("#dev", "grün 🌱");
        await bob.saw((line) => line.params[1] === "grün 🌱");
        expect(bob.heard("#dev")).toEqual(["grün 🌱"]);
        const secure = connect({ port: server.tlsPort ?? 0, host: "127.0.0.1", rejectUnauthorized: false });
        await new Promise((resolve, reject) => secure.once("secureConnect", resolve).once("error", reject));
        secure.destroy();
        ada.close();
        bob.close();
        await server.kill();
        await expect(IrcUser.connect(server.port, "eve")).rejects.toThrow();
      }
    },
  );
}

test("the proxy passes, delays, swallows and resets", async () => {
  const echo = createServer((socket) => socket.on("error", () => undefined).pipe(socket));
  await new Promise<void>((resolve) => echo.listen(0, "127.0.0.1", resolve));
  atEnd(() => void echo.close());
  const proxy = await startProxy((echo.address() as AddressInfo).port);
  const client = createConnection({ port: proxy.port, host: "127.0.0.1" });
  const seen: string[] = [];
  client.on("data", (bytes) => seen.push(bytes.toString()));
  const closed = new Promise((resolve) => client.once("close", resolve));
  client.on("error", () => undefined); // the reset below
  client.write("one");
  await expect.poll(() => seen.join("")).toBe("one");
  proxy.delayMs = 200;
  const start = performance.now();
  client.write("two");
  await expect.poll(() => seen.join("")).toBe("onetwo");
  expect(performance.now() - start).toBeGreaterThan(350);
  proxy.mode = "blackhole";
  client.write("three");
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(seen.join("")).toBe("onetwo");
  proxy.reset();
  await closed;
});
