// The way out of a sandbox and into it, without the sandbox: the bridge and the proxy in one network, with the programs that shall find their way unchanged.
import { execFile, execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { connect, type AddressInfo, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { promisify } from "node:util";
import { describe, expect, onTestFinished, test } from "vitest";
import { startBridge, type Bridge } from "../../../runtime/sandbox/bridge.ts";
import {
  bridgePlan,
  egressSocket,
  hostLines,
  listenSocket,
  locals,
  planOfEnvironment,
  proxyEnvironment,
} from "../../../runtime/sandbox/bridge-names.ts";
import { noGrants, type Grants } from "../../../runtime/sandbox/grants.ts";
import { startListening } from "../../../runtime/sandbox/listen.ts";
import { connectServer, serverProblem } from "../../../runtime/sdk/socket/server.ts";
import { makeCertificate } from "../../helpers/certificate.ts";
import { freePort } from "../../helpers/ports.ts";
import { waitFor } from "../../helpers/wait.ts";
import { readAll, readText, resolver, tcpServer, testEgress, testFolder, type TestEgress } from "./ends.ts";

const run = promisify(execFile);
const echo = (socket: Socket): unknown => socket.pipe(socket);

interface Sandbox {
  egress: TestEgress;
  bridge: Bridge;
  proxy: number;
  problems: string[];
}

/** What a guest with these grants has, on ports that nobody else of this machine uses. */
async function sandbox(
  grants: Partial<Grants>,
  names: Record<string, string[]> = {},
  way: { folder: string; inside?: number } = { folder: "/nowhere" },
): Promise<Sandbox> {
  const all = { ...noGrants, ...grants };
  const egress = await testEgress([...all.network], resolver(names));
  const { folder, ...inside } = way;
  const ports = { proxy: await freePort(), route: await freePort(), ...inside };
  const sockets = { egress: egress.path, listen: (port: number) => listenSocket(folder, port) };
  const problems: string[] = [];
  const bridge = await startBridge({
    plan: bridgePlan(all),
    problem: (text) => problems.push(text),
    sockets,
    ports,
  });
  onTestFinished(() => bridge.close());
  return { egress, bridge, proxy: ports.proxy, problems };
}

async function webServer(): Promise<number> {
  const server = createServer((request, response) =>
    response.end(`you asked for ${request.headers.host}${request.url}`),
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

describe("names", () => {
  const grants = {
    ...noGrants,
    network: ["a.example:80", "a.example:81", "*.b.example:1", "127.0.0.1:5", "10.0.0.1:6", "c.example:*"],
    targets: ["x.b.example:1"],
    listen: ["0.0.0.0:8080"],
  };

  test("that are granted without a wildcard, or asked for, have an address inside; loopback is itself", () => {
    const places = locals(bridgePlan(grants)).map(({ target: { host, port }, address }) => [
      host.kind === "name" ? host.name : host.address,
      port,
      address,
    ]);
    expect(places).toEqual([
      ["a.example", 80, "127.66.0.0"],
      ["a.example", 81, "127.66.0.0"],
      ["127.0.0.1", 5, "127.0.0.1"],
      ["x.b.example", 1, "127.66.0.1"],
    ]);
    expect(hostLines(grants)).toEqual(["127.66.0.0 a.example", "127.66.0.1 x.b.example"]);
  });

  test("of two hundred hosts are two hundred addresses", () => {
    const targets = Array.from({ length: 600 }, (_, at) => `host${at}.example:443`);
    const addresses = locals({ targets }).map(({ address }) => address);
    expect(new Set(addresses).size).toBe(600);
    expect(addresses.every((address) => /^127\.66\.[0-2]\.\d{1,3}$/.test(address))).toBe(true);
  });

  test("travel in the environment, and only there is a sandbox", () => {
    expect(planOfEnvironment(proxyEnvironment(grants))).toEqual(bridgePlan(grants));
    expect(planOfEnvironment({})).toBeUndefined();
    expect(egressSocket("sandbox/run")).toBe("sandbox/run/egress.sock");
  });
});

describe("outward", () => {
  test("a program that knows no proxy connects to a granted name as ever", async () => {
    const { port } = await tcpServer(echo);
    await sandbox({ network: [`good.example:${port}`, "127.0.0.0/8:*"] }, { "good.example": ["127.0.0.1"] });
    const socket = connect({ host: "127.66.0.0", port, allowHalfOpen: true }); // where /etc/hosts would lead the name
    socket.end("hello");
    expect(await readText(socket)).toBe("hello");
  });

  test("one that is refused hears of a broken connection, not of an end", async () => {
    const { port } = await tcpServer(echo);
    const { egress } = await sandbox(
      { network: [`good.example:${port}`] },
      { "good.example": ["127.0.0.1"] },
    );
    const socket = connect(port, "127.66.0.0");
    await expect(readAll(socket)).rejects.toThrow("ECONNRESET");
    expect(egress.lines[0]?.fields.code).toBe("private_address");
  });

  test.each([
    ["node's fetch", "node", ["-e", "fetch(process.argv[1]).then((r) => r.text()).then(console.log)"]],
    ["node's http", "node", ["-e", "require('http').get(process.argv[1], (r) => r.pipe(process.stdout))"]],
    ["curl", "curl", ["-sS"]],
    [
      "Python",
      "python3",
      ["-c", "import sys, urllib.request as u; print(u.urlopen(sys.argv[1]).read().decode())"],
    ],
  ])(
    "%s goes through by its environment alone, and is refused there",
    async (_what, program, args) => {
      if (!has(program)) return skipped(program);
      const port = await webServer();
      const { proxy, egress } = await sandbox(
        { network: [`good.example:${port}`, `127.0.0.1:${port}`] },
        { "good.example": ["127.0.0.1"] },
      );
      const env = { PATH: process.env.PATH, ...withPort(proxyEnvironment(noGrants), proxy) };
      const command = program === "node" ? process.execPath : program;
      const { stdout } = await run(command, [...args, `http://good.example:${port}/x`], { env });
      expect(stdout).toContain(`you asked for good.example:${port}/x`);
      const refused = await run(command, [...args, "http://169.254.169.254/latest/"], { env }).catch(
        (error: Error) => ({ stdout: error.message }), // Python throws for a 403
      );
      expect(refused.stdout).toMatch(/not granted|403/);
      expect(egress.lines.map(({ event }) => event)).toContain("egress.refused");
    },
    60_000,
  );

  test.each([
    [
      "node's fetch",
      "node",
      ["--input-type=module", "-e", "console.log(await (await fetch(process.argv[1])).text())"],
    ],
    ["curl", "curl", ["-sS", "--cacert", "CERT"]],
    [
      "Python",
      "python3",
      ["-c", "import sys, urllib.request as u; print(u.urlopen(sys.argv[1]).read().decode())"],
    ],
  ])(
    "%s does so with TLS, from end to end",
    async (_what, program, args) => {
      if (!has(program)) return skipped(program);
      const { certFile, keyFile } = makeCertificate(testFolder());
      const server = createTlsServer(
        { cert: readFileSync(certFile), key: readFileSync(keyFile) },
        (socket) => {
          socket.on("error", () => undefined);
          socket.once("data", () =>
            socket.end("HTTP/1.1 200 OK\r\ncontent-length: 6\r\nconnection: close\r\n\r\nsecret"),
          );
        },
      );
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      onTestFinished(() => void server.close());
      const { port } = server.address() as AddressInfo;
      const { proxy, egress } = await sandbox({ network: [`127.0.0.1:${port}`] });
      // The certificate is one for localhost, which these programs would not ask a proxy for.
      const variables = Object.fromEntries(
        Object.entries(withPort(proxyEnvironment(noGrants), proxy)).filter(([key]) => !/no_proxy/i.test(key)),
      );
      const env = {
        PATH: process.env.PATH,
        NODE_EXTRA_CA_CERTS: certFile,
        SSL_CERT_FILE: certFile,
        ...variables,
      };
      const command = program === "node" ? process.execPath : program;
      const { stdout } = await run(
        command,
        [...args.map((arg) => arg.replace("CERT", certFile)), `https://localhost:${port}/`],
        { env },
      );
      expect(stdout).toContain("secret");
      expect(egress.lines[0]).toMatchObject({ event: "egress.opened", fields: { host: "127.0.0.1", port } });
    },
    60_000,
  );

  test("what cannot be offered inside is said, and the rest works", async () => {
    const { port } = await tcpServer(echo, "127.66.0.0");
    const { problems, proxy } = await sandbox({ network: [`good.example:${port}`] });
    expect(problems).toEqual([expect.stringContaining(`127.66.0.0:${port}`)]);
    expect(proxy).toBeGreaterThan(0);
  });
});

describe("the SDK's connections", () => {
  const config = (port: number, more = {}) => ({
    server: "127.0.0.1",
    port,
    tls: false,
    tls_verify: true,
    ...more,
  });
  const ports = { plain: 1, tls: 2 };

  test("go through the proxy, plain and with TLS, and the certificate is held against the real host", async () => {
    const plain = await tcpServer(echo);
    const { certFile, keyFile } = makeCertificate(testFolder());
    const cert = readFileSync(certFile, "utf8");
    const serve = async (host: string, at = 0): Promise<number> => {
      const server = createTlsServer({ cert, key: readFileSync(keyFile) }, (socket) =>
        socket.on("error", () => undefined).pipe(socket),
      );
      await new Promise<void>((resolve) => server.listen(at, host, resolve));
      onTestFinished(() => void server.close());
      return (server.address() as AddressInfo).port;
    };
    const port = await serve("127.0.0.1");
    await serve("127.0.0.2", port);
    const { egress } = await sandbox(
      { network: [`127.0.0.1:${plain.port}`, `127.0.0.0/8:${port}`, `good.example:${port}`] },
      { "good.example": ["127.0.0.1"] },
    );
    const talk = async (options: Parameters<typeof connectServer>[0]): Promise<string> => {
      const socket = connectServer(options, ports, () => socket.write("hello"));
      onTestFinished(() => void socket.destroy());
      return new Promise((resolve, reject) => {
        socket.once("data", (data: Buffer) => resolve(data.toString()));
        socket.once("error", (error) => reject(serverProblem(error, options, ports)));
      });
    };
    expect(await talk(config(plain.port))).toBe("hello");
    expect(await talk(config(port, { tls: true, tls_ca: cert }))).toBe("hello");
    for (const other of ["good.example", "127.0.0.2"]) {
      await expect(talk(config(port, { tls: true, tls_ca: cert, server: other }))).rejects.toMatchObject({
        code: "tls_untrusted",
        message: expect.stringContaining("ALTNAME") as string,
      });
    }
    await waitFor(() => egress.lines.filter(({ event }) => event === "egress.opened").length === 4);
  });

  test("that are refused say so in the proxy's words", async () => {
    const { port } = await tcpServer(echo);
    await sandbox({ network: [`good.example:${port}`] }, { "good.example": ["127.0.0.1"] });
    for (const [server, words] of [
      ["evil.example", "is not granted"],
      ["good.example", "stands for 127.0.0.1, which is not public"],
    ] as const) {
      const options = config(port, { server });
      const socket = connectServer(options, ports, () => undefined);
      const error = await new Promise<Error>((resolve) => socket.once("error", resolve));
      expect(serverProblem(error, options, ports).message).toContain(words);
    }
  });
});

describe("inward", () => {
  /** A port of the machine that leads to the connector's own, which has another number here, since there is only one network. */
  async function inward(take: (socket: Socket) => unknown) {
    const folder = testFolder();
    const inside = await tcpServer(take);
    const port = await freePort();
    const grants = { ...noGrants, listen: [`127.0.0.1:${port}`] };
    const listening = await startListening({ folder, grants });
    onTestFinished(() => listening.close());
    const guest = () => sandbox(grants, {}, { folder, inside: inside.port });
    return { folder, port, inside, grants, guest };
  }

  test("what arrives at a granted port is passed on and answered, many at once", async () => {
    const { port, guest } = await inward(echo);
    await guest();
    const answers = await Promise.all(
      Array.from({ length: 100 }, async (_, at) => {
        const socket = connect({ host: "127.0.0.1", port, allowHalfOpen: true });
        socket.end(`number ${at}`);
        return readText(socket);
      }),
    );
    expect(answers).toEqual(answers.map((_, at) => `number ${at}`));
  });

  test("a large body goes in and a large answer comes out, byte for byte", async () => {
    const bytes = randomBytes(8 * 1024 * 1024);
    const { port, guest } = await inward(async (socket) => socket.end(await readAll(socket)));
    await guest();
    const socket = connect({ host: "127.0.0.1", port, allowHalfOpen: true });
    socket.end(bytes);
    expect((await readAll(socket)).equals(bytes)).toBe(true);
  });

  test("whoever arrives before the guest is ready waits for it", async () => {
    const { port, guest } = await inward(echo);
    const socket = connect({ host: "127.0.0.1", port, allowHalfOpen: true });
    socket.end("early");
    await once(socket, "connect");
    await guest();
    expect(await readText(socket)).toBe("early");
  });

  test("where the connector does not listen, the connection breaks", async () => {
    const folder = testFolder();
    const port = await freePort();
    const grants = { ...noGrants, listen: [`127.0.0.1:${port}`] };
    const listening = await startListening({ folder, grants });
    onTestFinished(() => listening.close());
    await sandbox(grants, {}, { folder, inside: await freePort() });
    const socket = connect(port, "127.0.0.1");
    await Promise.race([once(socket, "close"), readAll(socket)]).catch(() => undefined);
    expect(socket.destroyed || socket.readableEnded).toBe(true);
  });

  test("a guest that speaks before anybody arrived is hung up on, and nobody hears it", async () => {
    const { folder, port } = await inward(echo);
    const rude = connect({ path: listenSocket(folder, port) });
    rude.on("error", () => undefined);
    rude.write("HTTP/1.1 200 OK\r\n\r\nforged");
    await once(rude, "close");
    const polite = connect({ path: listenSocket(folder, port), allowHalfOpen: true });
    await once(polite, "connect");
    const visitor = connect({ host: "127.0.0.1", port, allowHalfOpen: true });
    visitor.end("hi");
    const heard = await readAll(polite); // one byte that somebody has arrived, and what they said
    polite.end("real");
    expect([heard.subarray(1).toString(), await readText(visitor)]).toEqual(["hi", "real"]);
  });

  test("a port that is taken is an error that says so", async () => {
    const { port } = await tcpServer(echo);
    const taken = startListening({ folder: testFolder(), grants: { listen: [`127.0.0.1:${port}`] } });
    await expect(taken).rejects.toMatchObject({ code: "port_in_use", fate: "reconnect" });
  });
});

/** The variables as they are in a sandbox, for a bridge on another port. */
function withPort(variables: Record<string, string>, port: number): Record<string, string> {
  return Object.fromEntries(
    Object.entries(variables).map(([key, value]) => [key, value.replace(":3128", `:${port}`)]),
  );
}

function has(program: string): boolean {
  try {
    execFileSync("/bin/sh", ["-c", `command -v ${program}`], { stdio: "ignore" });
    return true;
  } catch {
    return false; // that is the answer
  }
}

function skipped(program: string): void {
  console.warn(`SKIPPED: there is no ${program} here`);
}
