// Requests that fetch would not make.
import { request } from "node:http";
import { connect } from "node:net";
import type { Opened } from "./session.ts";

/** A request with headers that fetch would not send. Resolves with status, body and headers. */
export function raw(
  { port }: Opened,
  options: { method?: string; path?: string; headers?: Record<string, string>; body?: string },
): Promise<{ status: number; text: string; headers: Record<string, string | string[] | undefined> }> {
  return new Promise((resolve, reject) => {
    const { method = "POST", path = "/", headers = {}, body = '{"text":"x"}' } = options;
    const sent = request({ port, host: "127.0.0.1", method, path, headers, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, text, headers: response.headers }),
      );
    });
    sent.on("error", reject);
    sent.end(method === "POST" ? body : undefined);
  });
}

/** Writes text to the port and resolves with all that comes back. */
export function talk({ port }: Opened, text: string, thenEnd = false): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => (thenEnd ? socket.end(text) : socket.write(text)));
    let answer = "";
    socket.setEncoding("utf8").on("data", (chunk: string) => (answer += chunk));
    socket.on("error", reject).on("close", () => resolve(answer));
  });
}
