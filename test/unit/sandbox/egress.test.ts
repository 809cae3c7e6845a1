// The egress proxy of a sandboxed connector, over real sockets: what was granted gets through unharmed, and nothing else gets anywhere.
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { text } from "node:stream/consumers";
import { describe, expect, onTestFinished, test } from "vitest";
import { connectThrough } from "../../../runtime/sandbox/connect-through.ts";
import { waitFor } from "../../helpers/wait.ts";
import {
  client,
  codeOf,
  connectHead,
  exchange,
  readAll,
  readText,
  resolver,
  statusOf,
  tcpServer,
  testEgress,
} from "./ends.ts";

const echo = (socket: Socket): unknown => socket.pipe(socket);

/** A granted echo server, and the proxy that grants it by its name. */
async function granted(table: Parameters<typeof resolver>[0] = { "good.example": ["127.0.0.1"] }) {
  const server = await tcpServer(echo);
  const dns = resolver(table);
  const { port } = server;
  const network = [`good.example:${port}`, `*.below.example:${port}`, `127.0.0.1:${port}`];
  return { ...server, dns, egress: await testEgress(network, { resolve: dns.resolve }) };
}

describe("CONNECT", () => {
  test("opens a granted connection, passes bytes both ways and logs it at both ends", async () => {
    const { port, egress } = await granted();
    const socket = await connectThrough(egress.path, `good.example:${port}`);
    socket.end("hello");
    expect(await readText(socket)).toBe("hello");
    const closed = await waitFor(() => egress.lines.find(({ event }) => event === "egress.closed"));
    const place = { host: "good.example", port, address: "127.0.0.1" };
    expect(egress.lines[0]).toMatchObject({ level: "info", event: "egress.opened", fields: place });
    expect(closed.fields).toMatchObject({ ...place, sent_bytes: 5, received_bytes: 5 });
    expect(closed.fields.duration_ms).toBeGreaterThanOrEqual(0);
  });

  test("refuses what is not granted, says what to add, and connects nowhere", async () => {
    const { port, egress, dns, connections } = await granted({ "other.example": ["127.0.0.1"] });
    const answer = await exchange(egress.path, connectHead(`other.example:${port}`));
    expect(statusOf(answer)).toBe(403);
    expect(codeOf(answer)).toBe("not_granted");
    expect(answer).toContain(`config/policy.yml: ["other.example:${port}"]`);
    expect(dns.asked).toEqual([]); // not even a name server hears of it
    expect(connections()).toBe(0);
    expect(egress.lines).toMatchObject([
      {
        level: "warn",
        event: "egress.refused",
        fields: { target: `other.example:${port}`, code: "not_granted" },
      },
    ]);
  });

  test("refuses another port of a granted host", async () => {
    const { egress } = await granted();
    expect(codeOf(await exchange(egress.path, connectHead("good.example:22")))).toBe("not_granted");
  });

  test.each([
    ["another spelling in upper case, with a dot at the end", "GOOD.example.", 200],
    ["a name below a granted wildcard", "a.b.below.example", 200],
    ["the wildcard's own name", "below.example", 403],
    ["a name that only ends alike", "evilbelow.example", 403],
    ["a user in front", "good.example@evil.example", 400],
    ["a user behind", "evil.example@good.example", 400],
    ["a fragment", "evil.example#good.example", 400],
    ["a query", "evil.example?good.example", 400],
    ["a path", "evil.example/good.example", 400],
    ["a backslash", "evil.example\\good.example", 400],
    ["a NUL, written out", "good.example%00.evil.example", 400],
    ["two dots", "good..example", 400],
    ["no host", "", 400],
    ["an IPv6 address without brackets", "::1", 400],
    ["a decimal address", "2130706433", 400],
    ["a hexadecimal address", "0x7f000001", 400],
    ["a hexadecimal part", "0x7f.1", 400],
    ["an octal part", "0177.0.0.1", 400],
    ["a short address", "127.1", 400],
    ["an address with a leading zero", "127.0.0.01", 400],
    ["an address with a dot at the end", "127.0.0.1.", 400],
    ["full-width digits", "１２７.0.0.1", 400],
    ["an ideographic full stop", "good。example", 400],
    ["a mapped address of a granted one", "[::ffff:127.0.0.1]", 403],
    ["the same in hexadecimal", "[::ffff:7f00:1]", 403],
    ["a compatible address", "[::127.0.0.1]", 403],
    ["IPv6 loopback", "[::1]", 403],
    ["a zone", "[fe80::1%25lo]", 400],
    ["punycode of another name", "xn--gd-fka.example", 403],
  ])("with %s", async (_what, host, status) => {
    const { port, egress, connections } = await granted({
      "good.example": ["127.0.0.1"],
      "a.b.below.example": ["127.0.0.1"],
    });
    expect(statusOf(await exchange(egress.path, connectHead(`${host}:${port}`)))).toBe(status);
    expect(connections()).toBe(status === 200 ? 1 : 0);
  });

  test.each(["0", "65536", "-1", "+80", "0x50", "080", "", "80:80"])("refuses the port %j", async (port) => {
    const egress = await testEgress(["*:*"]);
    expect(statusOf(await exchange(egress.path, `CONNECT good.example:${port} HTTP/1.1\r\n\r\n`))).toBe(400);
  });

  test.each([
    ["a line break within the target", (to: string) => `CONNECT ${to}\r\nx: y HTTP/1.1\r\n\r\n`],
    ["a bare line feed", (to: string) => `CONNECT evil.example:1\n${to} HTTP/1.1\r\n\r\n`],
    [
      "a Host that says something else",
      (to: string) => `CONNECT evil.example:1 HTTP/1.1\r\nhost: ${to}\r\n\r\n`,
    ],
    [
      "two lengths",
      () =>
        "POST http://evil.example/ HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
    ],
    [
      "a length and chunks",
      () =>
        "POST http://evil.example/ HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
    ["a space before a colon", () => "GET http://evil.example/ HTTP/1.1\r\nhost : a\r\n\r\n"],
  ])("is not misled by %s", async (_what, bytes) => {
    const { port, egress, dns, connections } = await granted();
    expect([400, 403]).toContain(statusOf(await exchange(egress.path, bytes(`good.example:${port}`))));
    expect([dns.asked, connections()]).toEqual([[], 0]);
  });

  test("does not read what follows a CONNECT as a second request", async () => {
    const { port, egress, connections } = await granted();
    const second = connectHead("evil.example:1");
    const answer = await exchange(egress.path, connectHead(`good.example:${port}`) + second);
    expect(answer).toBe(`HTTP/1.1 200 Connection established\r\n\r\n${second}`); // the echo server's
    expect(connections()).toBe(1);
  });
});

describe("addresses", () => {
  test("that are private are refused although the name is granted, and the address is said", async () => {
    const dns = resolver({ "good.example": ["192.168.7.8"] });
    const egress = await testEgress(["good.example:443"], dns);
    const answer = await exchange(egress.path, connectHead("good.example:443"));
    expect([statusOf(answer), codeOf(answer)]).toEqual([403, "private_address"]);
    expect(answer).toContain("good.example stands for 192.168.7.8, which is not public: private");
    expect(answer).toContain('["192.168.7.8:443"]');
    expect(egress.lines[0]?.fields).toMatchObject({ code: "private_address", address: "192.168.7.8" });
  });

  test.each(
    [
      ["127.0.0.1", "::1", "0.0.0.0", "::", "10.1.2.3", "172.31.0.1", "192.168.0.1", "100.100.100.200"],
      [
        "169.254.169.254",
        "fd00:ec2::254",
        "168.63.129.16",
        "224.0.0.1",
        "255.255.255.255",
        "fe80::1",
        "ff02::1",
      ],
      [
        "::ffff:127.0.0.1",
        "::ffff:a9fe:a9fe",
        "64:ff9b::7f00:1",
        "2002:7f00:1::1",
        "2001::1",
        "::127.0.0.1",
        "fec0::1",
      ],
    ].flat(),
  )("%s is reached neither by its number nor by a name, whatever wildcard is granted", async (address) => {
    const dns = resolver({ "good.example": [address] });
    const egress = await testEgress(["*:*", "*.example:*", "good.example:*"], dns);
    const shown = address.includes(":") ? `[${address}]` : address;
    for (const host of [shown, "good.example"])
      expect(codeOf(await exchange(egress.path, connectHead(`${host}:80`)))).toBe("private_address");
  });

  test("localhost is 127.0.0.1, whatever a name server says", async () => {
    const dns = resolver({ localhost: ["192.0.43.8"], "a.localhost": ["192.0.43.8"] });
    const egress = await testEgress(["*:*"], dns);
    for (const host of ["localhost", "LocalHost.", "a.localhost"])
      expect(codeOf(await exchange(egress.path, connectHead(`${host}:80`)))).toBe("private_address");
    expect(dns.asked).toEqual([]);
  });

  test("are looked up once for a connection: an answer that changes gains nothing (DNS rebinding)", async () => {
    const answers = [["127.0.0.1"], ["127.0.0.2"]];
    const trap = await tcpServer(echo, "127.0.0.2");
    const { port, egress, dns, connections } = await granted({ "good.example": () => answers.shift() ?? [] });
    const to = `good.example:${port}`;
    expect(statusOf(await exchange(egress.path, connectHead(to)))).toBe(200);
    expect(dns.asked).toEqual(["good.example"]);
    const second = await exchange(egress.path, connectHead(to));
    expect(second).toContain("good.example stands for 127.0.0.2, which is not public");
    expect([connections(), trap.connections()]).toEqual([1, 0]);
  });

  test("are each checked: of several only those are tried that may be, the others never", async () => {
    const server = await tcpServer(echo);
    const trap = await tcpServer(echo, "127.0.0.9");
    const dns = resolver({ "good.example": ["127.0.0.9", "169.254.169.254", "127.0.0.1"] });
    const network = [`good.example:*`, `127.0.0.1:${trap.port}`, `127.0.0.1:${server.port}`];
    const egress = await testEgress(network, dns);
    // On the trap's port nothing listens at the one address that is allowed.
    expect(codeOf(await exchange(egress.path, connectHead(`good.example:${trap.port}`)))).toBe("unreachable");
    expect(statusOf(await exchange(egress.path, connectHead(`good.example:${server.port}`)))).toBe(200);
    expect(trap.connections()).toBe(0);
  });

  test("of a name that cannot be resolved are an error that says so", async () => {
    const egress = await testEgress(["*:*"], resolver({}));
    const answer = await exchange(egress.path, connectHead("gone.example:80"));
    expect([statusOf(answer), codeOf(answer)]).toEqual([502, "unresolved"]);
    expect(answer).toContain("gone.example could not be resolved: ENOTFOUND");
  });

  test("are resolved by the system where nothing else is given", async () => {
    const egress = await testEgress(["*:*"]);
    const answer = await exchange(egress.path, connectHead("spoolway-test.invalid:80"));
    expect(codeOf(answer)).toBe("unresolved");
  });
});

describe("a tunnel", () => {
  test("carries 32 MiB each way at once, byte for byte, past a slow reader", async () => {
    const down = randomBytes(32 * 1024 * 1024);
    const up = randomBytes(32 * 1024 * 1024);
    const hash = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");
    let arrived = "";
    const { port } = await tcpServer(async (socket) => {
      socket.end(down);
      arrived = hash(await readAll(socket));
    });
    const egress = await testEgress([`127.0.0.1:${port}`]);
    const socket = await connectThrough(egress.path, `127.0.0.1:${port}`);
    socket.end(up);
    const slow = (async function* () {
      for await (const chunk of socket) {
        if (Math.random() < 0.01) await new Promise((resolve) => setTimeout(resolve, 5));
        yield chunk as Buffer;
      }
    })();
    const got: Buffer[] = [];
    for await (const chunk of slow) got.push(chunk);
    expect(hash(Buffer.concat(got))).toBe(hash(down));
    expect(await waitFor(() => arrived !== "" && arrived)).toBe(hash(up));
    const closed = await waitFor(() => egress.lines.find(({ event }) => event === "egress.closed"));
    expect(closed.fields).toMatchObject({ sent_bytes: up.length, received_bytes: down.length });
  });

  test("lets either side stop talking first", async () => {
    const { port } = await tcpServer(async (socket) => {
      const asked = await readText(socket); // ends only when the client has ended
      socket.end(`answer to ${asked}`);
    });
    const egress = await testEgress([`127.0.0.1:${port}`]);
    const first = await connectThrough(egress.path, `127.0.0.1:${port}`);
    first.end("a question");
    expect(await readText(first)).toBe("answer to a question");

    let heard = "";
    const other = await tcpServer(async (socket) => {
      socket.end("bye");
      heard = await readText(socket);
    });
    const egress2 = await testEgress([`127.0.0.1:${other.port}`]);
    const second = await connectThrough(egress2.path, `127.0.0.1:${other.port}`);
    expect(await readText(second)).toBe("bye");
    second.end("still here");
    expect(await waitFor(() => heard !== "" && heard)).toBe("still here");
  });

  test("that the server breaks off ends, and the log says how", async () => {
    const { port } = await tcpServer((socket) => socket.once("data", () => socket.resetAndDestroy()));
    const egress = await testEgress([`127.0.0.1:${port}`]);
    const socket = await connectThrough(egress.path, `127.0.0.1:${port}`);
    const ended = once(socket, "end");
    socket.resume().write("x");
    await ended;
    const line = await waitFor(() => egress.lines.find(({ event }) => event === "egress.closed"));
    expect(line.fields.error).toMatch(/ECONNRESET/);
  });

  test("that the client breaks off ends at the server, too", async () => {
    let ended = false;
    const { port } = await tcpServer((socket) => socket.on("end", () => (ended = true)).resume());
    const egress = await testEgress([`127.0.0.1:${port}`]);
    const socket = await connectThrough(egress.path, `127.0.0.1:${port}`);
    socket.destroy();
    expect(await waitFor(() => ended)).toBe(true);
  });

  test("is made of whole connections: what the server sends after the client broke off goes nowhere", async () => {
    const { port } = await tcpServer((socket) => socket.once("end", () => socket.write("too late")));
    const egress = await testEgress([`127.0.0.1:${port}`]);
    const socket = await connectThrough(egress.path, `127.0.0.1:${port}`);
    socket.destroy();
    await waitFor(() => egress.lines.find(({ event }) => event === "egress.closed"));
  });

  test("is one of 200 at the same time", async () => {
    const { port, egress } = await granted();
    const answers = await Promise.all(
      Array.from({ length: 200 }, async (_, at) => {
        const socket = await connectThrough(egress.path, `good.example:${port}`);
        socket.end(`number ${at}`);
        return readText(socket);
      }),
    );
    expect(answers).toEqual(answers.map((_, at) => `number ${at}`));
  });
});

describe("limits", () => {
  test("more connections than are allowed are refused with words, and allowed again when some are closed", async () => {
    const { port } = await tcpServer(echo);
    const egress = await testEgress([`127.0.0.1:${port}`], { limits: { maxConnections: 2 } });
    const to = `127.0.0.1:${port}`;
    const open = [await connectThrough(egress.path, to), await connectThrough(egress.path, to)];
    await expect(connectThrough(egress.path, to)).rejects.toThrow("2 connections are open");
    open[0]?.destroy();
    const third = await waitFor(() => connectThrough(egress.path, to));
    third.destroy();
  });

  test("a head that is too long is refused", async () => {
    const { port, egress } = await granted();
    const head = `CONNECT good.example:${port} HTTP/1.1\r\nx: ${"a".repeat(20_000)}\r\n\r\n`;
    expect(statusOf(await exchange(egress.path, head))).toBe(431);
  });

  test.each([
    ["never finishes its head", "CONNECT good.example:1 HTTP/1.1\r\nx:"],
    ["says nothing at all", ""],
  ])("a client that %s is hung up on", async (_what, bytes) => {
    const egress = await testEgress(["*:*"], { limits: { headersMs: 300 } });
    const socket = client(egress.path);
    socket.write(bytes);
    socket.resume();
    await once(socket, "end");
  });

  test("a connection on which nothing is said any more is ended, and the log says why", async () => {
    const { port } = await tcpServer(echo);
    const egress = await testEgress([`127.0.0.1:${port}`], { limits: { idleMs: 200 } });
    const socket = await connectThrough(egress.path, `127.0.0.1:${port}`);
    socket.resume();
    await once(socket, "end");
    const line = await waitFor(() => egress.lines.find(({ event }) => event === "egress.closed"));
    expect(line.fields.error).toContain("nothing was said");
  });

  test("a flood of refusals does not flood the log, and its size is told", async () => {
    const egress = await testEgress([]);
    for (let at = 0; at < 120; at++) await exchange(egress.path, connectHead("evil.example:1"));
    await waitFor(async () => {
      await exchange(egress.path, connectHead("evil.example:1"));
      return egress.lines.some(({ event }) => event === "egress.suppressed");
    });
  });

  test("closing ends everything that is open", async () => {
    const { port } = await tcpServer(echo);
    const egress = await testEgress([`127.0.0.1:${port}`]);
    const socket = await connectThrough(egress.path, `127.0.0.1:${port}`);
    const ended = once(socket, "end");
    socket.resume();
    await egress.close();
    await ended;
  });
});

describe("plain HTTP", () => {
  /** A web server that says what it got; /redirect sends on to the metadata service. */
  async function web() {
    const seen: Array<{ request: IncomingMessage; body: string }> = [];
    const server = createServer(async (request, response) => {
      seen.push({ request, body: await text(request) });
      if (request.url === "/redirect")
        return response.writeHead(302, { location: "http://169.254.169.254/latest/" }).end();
      response
        .writeHead(200, { connection: "close, x-hop", "x-hop": "1", "set-cookie": ["a=1", "b=2"] })
        .end("fine");
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const egress = await testEgress(
      [`good.example:${port}`, `127.0.0.1:${port}`, "169.254.0.0:80", "*:80"],
      resolver({ "good.example": ["127.0.0.1"] }),
    );
    return { seen, egress, port, at: `http://good.example:${port}` };
  }

  test("goes through in absolute form, without what is only said to the proxy", async () => {
    const { seen, egress, at, port } = await web();
    const head = [
      ...[
        `POST ${at}/a?b=c HTTP/1.1`,
        "host: evil.example",
        "proxy-authorization: secret",
        "x-hop: 1",
        "connection: x-hop, close",
      ],
      ...["accept: text/plain", "transfer-encoding: chunked"],
    ].join("\r\n");
    const answer = await exchange(egress.path, `${head}\r\n\r\n5\r\nhello\r\n0\r\n\r\n`);
    expect(statusOf(answer)).toBe(200);
    expect(answer).toContain("fine");
    expect(answer.match(/^set-cookie: .*$/gim)).toHaveLength(2);
    expect(answer).not.toMatch(/x-hop/);
    const [{ request, body } = { body: "" }] = seen;
    expect([request?.method, request?.url, body]).toEqual(["POST", "/a?b=c", "hello"]);
    expect(request?.headers).toMatchObject({ host: `good.example:${port}`, accept: "text/plain" });
    expect(request?.rawHeaders.filter((name) => name.toLowerCase() === "host")).toHaveLength(1);
    expect(Object.keys(request?.headers ?? {})).not.toContain("proxy-authorization");
    expect(Object.keys(request?.headers ?? {})).not.toContain("x-hop");
    expect(await waitFor(() => egress.lines.find(({ event }) => event === "egress.closed"))).toBeDefined();
  });

  test("a redirect to the metadata service ends at the proxy", async () => {
    const { egress, at } = await web();
    const first = await exchange(
      egress.path,
      `GET ${at}/redirect HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`,
    );
    const [, next = ""] = /^location: (.*)$/im.exec(first) ?? [];
    const second = await exchange(
      egress.path,
      `GET ${next.trim()} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`,
    );
    expect([statusOf(first), statusOf(second), codeOf(second)]).toEqual([302, 403, "private_address"]);
    expect(second).toContain("metadata");
  });

  test.each([
    ["user and password", "http://u:p@good.example/", "Authorization"],
    ["a granted host as user", "http://good.example:80@evil.example/", "Authorization"],
    ["a fragment", "http://good.example/#x", "#"],
    ["another scheme", "https://good.example/", "CONNECT"],
    ["ftp", "ftp://good.example/", "CONNECT"],
    ["no host", "http:///x", "host"],
    ["only a path", "/x", "proxy"],
  ])("refuses a URL with %s", async (_what, url, word) => {
    const { egress, seen } = await web();
    const asked = (): string => JSON.stringify(egress.lines);
    const answer = await exchange(
      egress.path,
      `GET ${url} HTTP/1.1\r\nhost: good.example\r\nconnection: close\r\n\r\n`,
    );
    expect(statusOf(answer)).toBe(400);
    expect(answer).toContain(word);
    expect(asked()).not.toMatch(/u:p|\/x|#x/); // passwords and paths are nothing for the log
    expect(seen).toEqual([]);
  });

  test("a server that breaks off in the middle does not look like one that has finished", async () => {
    const { port } = await tcpServer((socket) =>
      socket.once("data", () => {
        socket.write("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf", () => socket.resetAndDestroy());
      }),
    );
    const egress = await testEgress([`127.0.0.1:${port}`]);
    const answer = await exchange(
      egress.path,
      `GET http://127.0.0.1:${port}/ HTTP/1.1\r\nhost: x\r\n\r\n`,
    ).catch(() => "");
    expect(answer.includes("content-length: 100") ? answer.endsWith("half") : true).toBe(true);
    const line = await waitFor(() => egress.lines.find(({ event }) => event === "egress.closed"));
    expect(line.fields.error).toBeDefined();
  });
});
