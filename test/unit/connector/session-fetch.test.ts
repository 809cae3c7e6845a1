// A connector's fetch on a server that is slow, silent, gone: what takes long is read, what says nothing is given up, and the session ends both.
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { SpoolwayError } from "../../../runtime/errors.ts";
import { fetchIn } from "../../../runtime/session-fetch.ts";
import { freePort } from "../../helpers/ports.ts";

const session = new AbortController().signal;
const silenceMs = 400;

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

test("a body that takes longer than the silence that is allowed is read whole, with the address it came from", async () => {
  const url = await serve((request, response) => {
    if (request.url === "/") return void response.writeHead(302, { location: "/moved" }).end();
    void (async () => {
      for (let n = 0; n < 8; n++) {
        response.write(`${n}`);
        await sleep(silenceMs / 4);
      }
      response.end();
    })();
  });
  const response = await fetchIn(session, url, {}, silenceMs);
  expect([response.status, response.url, response.redirected]).toEqual([200, `${url}moved`, true]);
  expect(await response.text()).toBe("01234567");
});

test("who reads slowly is not the other side's silence", async () => {
  const url = await serve((_, response) => response.end("x".repeat(100_000)));
  const response = await fetchIn(session, url, {}, silenceMs);
  await sleep(2 * silenceMs);
  expect(await response.text()).toHaveLength(100_000);
});

test("an upload that takes longer than the silence that is allowed goes through, one that stands still does not", async () => {
  const url = await serve((request, response) => void request.pipe(response));
  const slowly = async function* (pauseMs: number): AsyncGenerator<Uint8Array> {
    for (let n = 0; n < 8; n++) {
      yield Buffer.from(`${n}`);
      await sleep(pauseMs);
    }
  };
  const upload = (pauseMs: number): RequestInit => ({
    method: "POST",
    body: slowly(pauseMs),
    duplex: "half",
  });
  expect(await (await fetchIn(session, url, upload(silenceMs / 4), silenceMs)).text()).toBe("01234567");
  const late = fetchIn(session, `${url}late`, upload(silenceMs * 2), silenceMs).then((all) => all.text());
  await expect(late).rejects.toMatchObject({ name: "TimeoutError" });
});

test("an upload whose bytes cannot be read says why", async () => {
  const url = await serve((request) => void request.resume());
  const body = Readable.from(
    (async function* () {
      yield Buffer.from("half");
      throw new SpoolwayError("attachment_missing", "somebody removed it");
    })(),
  );
  const upload = fetchIn(session, url, { method: "POST", body, duplex: "half" });
  await expect(upload).rejects.toMatchObject({ code: "attachment_missing" });
});

test.for([
  ["before the answer", () => undefined],
  ["in the middle of the body", (_, response) => void response.write("half")],
] as Array<[string, RequestListener]>)("silence %s is given up", async ([, listener]) => {
  const url = await serve(listener);
  const read = fetchIn(session, url, {}, silenceMs).then((response) => response.text());
  await expect(read).rejects.toMatchObject({ name: "TimeoutError" });
});

test("the end of the session ends the body that is being read", async () => {
  const url = await serve((_, response) => void response.write("half"));
  const ended = new AbortController();
  const response = await fetchIn(ended.signal, url);
  const read = response.text();
  ended.abort(new Error("the session is over"));
  await expect(read).rejects.toThrow("the session is over");
});

test("a body that nobody reads can be thrown away, and an answer without one is whole", async () => {
  const url = await serve((request, response) =>
    request.method === "HEAD" ? response.writeHead(204).end() : void response.write("half"),
  );
  await (await fetchIn(session, url, {}, silenceMs)).body?.cancel();
  const empty = await fetchIn(session, url, { method: "HEAD" }, silenceMs);
  expect([empty.status, empty.body]).toEqual([204, null]);
});

test("what could not be reached was not sent, and says so", async () => {
  const nobody = `http://127.0.0.1:${await freePort()}/`;
  await expect(fetchIn(session, nobody)).rejects.toMatchObject({ code: "unreachable" });
});
