// A request that got as far as being an event.
import type { IncomingHttpHeaders } from "node:http";

/** A request whose origin is proven and whose body is parsed. */
export interface Received {
  method: string;
  path: string;
  query: URLSearchParams;
  headers: IncomingHttpHeaders;
  body: unknown;
}
