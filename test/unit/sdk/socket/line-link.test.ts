// A server that is spoken to in lines, over real sockets: LineSocket (and the connection under it, server.ts) and LineLink, the session over it.
import { X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { type SpoolwayError, stop } from "../../../../runtime/sdk.ts";
import { LineLink, type LineLinkConfig } from "../../../../runtime/sdk/socket/line-link.ts";
import { LineSocket } from "../../../../runtime/sdk/socket/line-socket.ts";
import { portOf, type ServerConfig, warnInClear } from "../../../../runtime/sdk/socket/server.ts";
import { makeCertificate } from "../../../helpers/certificate.ts";
import { atEnd } from "../../../helpers/children.ts";
import { TestContext } from "../../../helpers/context.ts";
import { type Answer, type LineServer, startLineServer } from "../../../helpers/servers/lineServer.ts";
import { waitFor } from "../../../helpers/wait.ts";

const ports = { plain: 6667, tls: 6697 };
const configOf = (port: number, more: Partial<ServerConfig> = {}): ServerConfig => ({
  ...{ server: "127.0.0.1", port, tls: false, tls_verify: true },
  ...more,
});

/** A socket that is connected or closed, with what it has read. */
async function connect(config: ServerConfig, maxLineBytes = 100) {
  const socket = new LineSocket(config, ports, maxLineBytes);
  const lines: string[] = [];
  let ended: SpoolwayError | false | undefined;
  let isOpen = false;
  socket.on("line", (line) => lines.push(line));
  socket.on("open", () => (isOpen = true));
  socket.on("close", (error) => (ended = error));
  socket.connect();
  atEnd(() => socket.close(true));
  await waitFor(() => isOpen || ended !== undefined);
  return {
    socket,
    lines,
    end: () => waitFor(() => ended !== undefined).then(() => ended),
    isOpen: () => isOpen,
  };
}

describe("a line socket", () => {
  test("says one line at a time, whatever is in it, and hears lines of any encoding", async () => {
    const server = await startLineServer();
    const { socket, lines } = await connect(configOf(server.port));
    socket.writeLine("PRIVMSG #a :x\r\nQUIT\0");
    await server.saw("PRIVMSG #a :x  QUIT ");
    server.say("héllo");
    server.say(Buffer.from([0x63, 0x61, 0x66, 0xe9, 0x20, 0x80]));
    await waitFor(() => lines.length === 2);
    expect(lines).toEqual(["héllo", "café €"]);
  });

  test("ends on a line that is too long", async () => {
    const server = await startLineServer();
    const { lines, end } = await connect(configOf(server.port), 100);
    server.say("x".repeat(99)); // and the carriage return
    server.say("x".repeat(100));
    expect(await end()).toMatchObject({ fate: "reconnect", message: expect.stringContaining("too long") });
    expect(lines).toHaveLength(1);
  });

  test("reads nothing while it is held, and everything afterwards", async () => {
    const server = await startLineServer();
    const { socket, lines } = await connect(configOf(server.port));
    const room = Promise.withResolvers<void>();
    socket.hold(room.promise);
    server.say("later");
    await delay(100);
    expect(lines).toEqual([]);
    room.resolve();
    await waitFor(() => lines.length === 1);
  });

  test("leaves with a last line, also when the other side does not hang up, and twice", async () => {
    // One that never closes its side: allowHalfOpen.
    const heard: Buffer[] = [];
    const deaf = createServer({ allowHalfOpen: true }, (client) => {
      client.on("error", () => undefined); // it is cut off in the end
      client.on("data", (chunk: Buffer) => heard.push(chunk));
    });
    await new Promise<void>((resolve) => deaf.listen(0, "127.0.0.1", resolve));
    atEnd(() => void deaf.close());
    const { socket, end } = await connect(configOf((deaf.address() as AddressInfo).port));
    const started = performance.now();
    await socket.leave("QUIT");
    expect(performance.now() - started).toBeGreaterThan(900);
    expect(await end()).toBe(false);
    expect(String(Buffer.concat(heard))).toBe("QUIT\r\n");
    await socket.leave("QUIT");
  });

  test("says what to do when nobody listens, or when no TLS is spoken there", async () => {
    const plain = createServer((client) => {
      client.on("error", () => undefined); // it hangs up on us
      client.resume().end("Welcome, this is no TLS\r\n");
    });
    await new Promise<void>((resolve) => plain.listen(0, "127.0.0.1", resolve));
    const { port } = plain.address() as AddressInfo;
    const noTls = await connect(configOf(port, { tls: true }));
    expect(noTls.isOpen()).toBe(false);
    expect(await noTls.end()).toMatchObject({
      fate: "reconnect",
      hint: expect.stringContaining("tls: false"),
    });
    await new Promise((resolve) => plain.close(resolve));
    const refused = await connect(configOf(port));
    expect(await refused.end()).toMatchObject({
      fate: "reconnect",
      message: expect.stringContaining(`127.0.0.1:${port}`),
      hint: expect.stringContaining("server and port"),
    });
    expect(portOf({ ...configOf(1), tls: true, port: 7 }, ports)).toBe(7);
  });

  test("trusts a certificate by its CA or its fingerprint, or anyone where it is told so; no other", async () => {
    const folder = mkdtempSync(join(tmpdir(), "spoolway-tls-"));
    atEnd(() => rmSync(folder, { recursive: true, force: true }));
    const { certFile, keyFile } = makeCertificate(folder);
    const [cert, key] = [readFileSync(certFile, "utf8"), readFileSync(keyFile, "utf8")];
    const server = await startLineServer(undefined, { cert, key });
    const secure = (more: Partial<ServerConfig>) => connect(configOf(server.port, { tls: true, ...more }));
    const pin = new X509Certificate(cert).fingerprint256;
    for (const trust of [
      { tls_ca: cert },
      { tls_fingerprint: pin },
      { tls_fingerprint: pin.replaceAll(":", "").toLowerCase() },
      { tls_verify: false },
    ])
      expect((await secure(trust)).isOpen(), JSON.stringify(Object.keys(trust))).toBe(true);
    for (const doubt of [
      {},
      { tls_fingerprint: "00".repeat(32) },
      { tls_fingerprint: "00".repeat(32), tls_verify: false },
    ]) {
      const { isOpen, end } = await secure(doubt);
      expect(await end()).toMatchObject({ code: "tls_untrusted", fate: "reconnect" });
      expect(isOpen()).toBe(false);
    }
  });
});

const protocol = {
  ...{ ports, maxLineBytes: 1000, farewell: "QUIT" },
  question: (token: string) => `PING ${token}`,
  isAnswer: (message: string, token: string) => message === `PONG ${token}`,
};
const flood = { burst: 100, per_second: 100 };
const welcoming: Answer = (line) => {
  if (line === "HELLO") return ["001"];
  return line.startsWith("PING ") ? [line.replace("PING", "PONG")] : undefined;
};

async function linkTo(server: LineServer, more: Partial<LineLinkConfig> = {}) {
  const ctx = new TestContext<LineLinkConfig>("chat", "/", { ...configOf(server.port), flood, ...more });
  const link = new LineLink<string, LineLinkConfig>(ctx, protocol);
  link.socket.on("line", (line) => {
    if (line.startsWith("ERROR ")) link.lastWords.push(line.slice(6));
    if (!link.hear(line) && line.startsWith("SAID ")) link.deliver({ content: { text: line.slice(5) } });
  });
  link.socket.on("open", () => link.write("HELLO"));
  link.socket.connect();
  atEnd(() => link.close());
  const open = (settle = async () => undefined as void) =>
    link.open((line) => {
      if (line === "464") throw stop("wrong password");
      return line === "001";
    }, settle);
  return { ctx, link, open };
}

describe("a line link", () => {
  test("opens, delivers in order, is probed, and says goodbye", async () => {
    const server = await startLineServer(welcoming);
    const { ctx, link, open } = await linkTo(server);
    let settled = 0;
    expect(await open(async () => void (settled += 1))).toBe(link);
    const running = link.run(1, async () => void (settled += 1)).catch((error: unknown) => error);
    for (const text of ["a", "b", "c"]) server.say(`SAID ${text}`);
    await link.probe();
    await waitFor(() => ctx.delivered.length === 3 && settled > 2);
    expect(ctx.texts()).toEqual(["a", "b", "c"]);
    await link.close();
    expect(server.lines.at(-1)).toBe("QUIT");
    expect(await running).toMatchObject({ fate: "reconnect" });
  });

  test("does not open without the login that it was told to use, and closes", async () => {
    const server = await startLineServer(welcoming);
    const { open } = await linkTo(server, { sasl: { mechanism: "PLAIN", password: "secret" } });
    let settled = 0;
    await expect(open(async () => void (settled += 1))).rejects.toMatchObject({
      fate: "reconnect",
      message: expect.stringContaining("SASL"),
    });
    expect(settled).toBe(0);
    await waitFor(() => server.socket?.destroyed);
  });

  test("closes where opening fails, whoever fails it", async () => {
    const server = await startLineServer((line) => (line === "HELLO" ? ["464"] : undefined));
    const { open } = await linkTo(server);
    await expect(open()).rejects.toMatchObject({ fate: "stop", message: "wrong password" });
    await waitFor(() => server.socket?.destroyed);
    const other = await startLineServer(welcoming);
    const failing = await linkTo(other);
    await expect(failing.open(() => Promise.reject(new Error("no room")))).rejects.toThrow("no room");
    await waitFor(() => other.socket?.destroyed);
  });

  test.each([
    ["before the welcome", "HELLO"],
    ["right after it", "PING"],
  ])("takes the server's last words %s for the fate of the session", async (_when, at) => {
    const server: LineServer = await startLineServer((line) => {
      if (!line.startsWith(at)) return line === "HELLO" ? ["001"] : undefined;
      server.say("ERROR banned: no bots here");
      server.socket?.end();
      return undefined;
    });
    const { open } = await linkTo(server);
    await expect(open()).rejects.toMatchObject({
      fate: "stop",
      code: "banned",
      message: expect.stringContaining("no bots here"),
    });
  });

  test("later on they are only the reason why it was lost", async () => {
    const server = await startLineServer(welcoming);
    const { link, open } = await linkTo(server);
    await open();
    server.say("ERROR banned: excess flood");
    server.socket?.end();
    await expect(link.run(10_000, async () => undefined)).rejects.toMatchObject({
      fate: "reconnect",
      message: expect.stringContaining("excess flood"),
    });
  });

  test("delivers what it heard before it was lost, before it says that it is", async () => {
    const server = await startLineServer(welcoming);
    const { ctx, link, open } = await linkTo(server);
    await open();
    const disk = Promise.withResolvers<void>();
    ctx.beforeDeliver = () => disk.promise;
    let isOver = false;
    const running = link.run(10_000, async () => undefined).catch(() => (isOver = true));
    server.say("SAID last words");
    await waitFor(() => server.socket !== undefined && link.probe().then(() => true));
    server.socket?.destroy();
    await waitFor(() => link.lost.aborted);
    await delay(50);
    expect(isOver).toBe(false);
    disk.resolve();
    await running;
    expect(ctx.texts()).toEqual(["last words"]);
  });

  test("reads no further while the disk is behind", async () => {
    const server = await startLineServer(welcoming);
    const { ctx, link, open } = await linkTo(server);
    await open();
    const disk = Promise.withResolvers<void>();
    ctx.beforeDeliver = () => disk.promise;
    let isRead = false;
    link.socket.on("line", (line) => (isRead ||= line === "MARK"));
    // 64 may be with the disk and 64 wait; what one chunk holds is still taken.
    for (let n = 0; n < 200; n += 1) server.say(`SAID ${n}`);
    await delay(100);
    server.say("MARK");
    await delay(100);
    expect(isRead).toBe(false);
    disk.resolve();
    await waitFor(() => isRead && ctx.delivered.length === 200);
  });

  test("warns of a password that everybody on the way can read", async () => {
    const server = await startLineServer(welcoming);
    const { ctx } = await linkTo(server, { password: "secret" });
    expect(ctx.logged("chat.password_in_clear")).toHaveLength(1);
    expect(JSON.stringify(ctx.lines)).not.toContain("secret");
    const open = await linkTo(server);
    expect(open.ctx.lines).toEqual([]);
    const tls = new TestContext("chat", "/", configOf(1, { tls: true }));
    warnInClear(tls, "secret");
    expect(tls.lines).toEqual([]);
  });
});
