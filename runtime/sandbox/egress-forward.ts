// Plain HTTP through the proxy: one request in absolute form (GET http://host/path) becomes one request to the host, over a connection of its own. What the two
// sides say about their connections with the proxy (RFC 9110, 7.6.1) is not passed on.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { pipeline } from "node:stream/promises";
import { request as httpRequest } from "../sdk/http/node-http.ts";
import { readTarget, Refusal } from "./egress-reach.ts";
import { type Target, targetText } from "./targets.ts";

export interface Forward {
  target: Target;
  /** With the query. */
  path: string;
}

const httpPort = 80;
const hopByHop = new Set([
  ...["connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection"],
  ...["te", "trailer", "transfer-encoding", "upgrade", "expect", "host"],
]);

/** Throws Refusal. */
export function readForward({ url = "" }: IncomingMessage): Forward {
  const [, scheme = "", authority = "", path = ""] =
    /^([a-z][a-z0-9+.-]*):\/\/([^/?#]*)(.*)$/i.exec(url) ?? [];
  const wrong = (message: string, hint: string): Refusal => new Refusal("bad_request", 400, message, hint);
  if (scheme === "")
    throw wrong("This is a proxy, not a web server", "Ask it for CONNECT host:port, or GET http://host/path");
  if (scheme.toLowerCase() !== "http")
    throw wrong(`${scheme} does not go through a proxy like this`, "Ask it for CONNECT host:port");
  if (authority.includes("@"))
    throw wrong("The URL holds a user or a password", "Send them in the Authorization header.");
  if (path.includes("#")) throw wrong("The URL holds a fragment", "Leave out what begins with #.");
  return { target: readTarget(authority, httpPort), path: path.startsWith("/") ? path : `/${path}` };
}

/** Resolves when the answer has been passed on, with what went wrong, if anything did. */
export async function sendForward(
  { target, path }: Forward,
  socket: Socket,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<Error | undefined> {
  const chunked = request.headers["transfer-encoding"] !== undefined;
  const headers = [
    ...["host", target.port === httpPort ? targetText(target).replace(/:80$/, "") : targetText(target)],
    ...endToEnd(request),
    ...(chunked ? ["transfer-encoding", "chunked"] : []),
    ...["connection", "close"],
  ];
  const onward = httpRequest({
    createConnection: () => socket,
    method: request.method ?? "GET",
    path,
    headers,
    setHost: false,
  });
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    onward.once("response", resolve);
    onward.once("error", reject);
    response.once("close", () => {
      if (!response.writableFinished) onward.destroy(new Error("the one who asked is gone"));
    });
  });
  // Only what says that it has a body has one: nothing that a server could take for a second request gets there.
  const hasBody = chunked || request.headers["content-length"] !== undefined;
  if (!hasBody) onward.end();
  const sent = hasBody ? pipeline(request, onward) : Promise.resolve();
  try {
    const answer = await answered;
    response.writeHead(answer.statusCode ?? 502, answer.statusMessage, endToEnd(answer));
    await pipeline(answer, response);
    // A server may answer before it has read everything.
    await sent.catch(() => undefined);
    return undefined;
  } catch (error) {
    sent.catch(() => undefined); // the same failure, seen from the other side
    if (response.headersSent) request.socket.destroy();
    else
      response
        .writeHead(502, { "content-type": "text/plain; charset=utf-8" })
        .end(`${targetText(target)}: ${(error as Error).message}\n`);
    return error as Error;
  }
}

/** Name, value, name, value …; also without what the Connection header names. */
function endToEnd({ rawHeaders, headers }: IncomingMessage): string[] {
  const named = (headers.connection ?? "").split(",").map((name) => name.trim().toLowerCase());
  const dropped = new Set([...hopByHop, ...named]);
  return rawHeaders.filter((_text, at) => !dropped.has((rawHeaders[at - (at % 2)] ?? "").toLowerCase()));
}
