// spoolway/sdk/http/method-api: an API of named methods, each a POST of a form that is answered with JSON, {"ok": true, …} or {"ok": false, "error": "its_name"}, as Slack's. A
// refusal becomes a fate by its name (sdk/http/named-errors), and no answer as in sdk/http/api. Who has to wait for one method need not for another, and none is asked early.
import { type Context, rateLimited, retry, SpoolwayError, uncertain } from "../../sdk.ts";
import { type Judge, reading, request } from "./api.ts";
import { type ErrorTable, refusalOf } from "./named-errors.ts";
import { allPages, type Patience } from "./pages.ts";

export interface MethodAnswer {
  ok: boolean;
  error?: string;
  /** The scope that is missing. */
  needed?: string;
  response_metadata?: { next_cursor?: string; messages?: string[] };
}

export interface Methods {
  /** Of the API. */
  url: string;
  token: string;
  errors: ErrorTable;
  /** Methods that do something, as against asking. */
  changes: RegExp;
  /** Methods without which nothing goes. */
  vital: RegExp;
}

type Item<List> = List extends Array<infer One> ? One : never;

export class MethodApi<Answer> {
  /** How much the platform's clock is ahead of ours, by its Date header (whole seconds). */
  clockAheadMs = 0;
  readonly #ctx: Pick<Context, "fetch">;
  readonly #methods: Methods;
  readonly #waits = new Map<string, number>();

  constructor(ctx: Pick<Context, "fetch">, methods: Methods) {
    this.#ctx = ctx;
    this.#methods = methods;
  }

  /** A method's answer. Throws with the fate of what went wrong. */
  async call(method: string, args: object = {}, token = this.#methods.token): Promise<Answer & MethodAnswer> {
    const { url, errors, changes: isChange, vital } = this.#methods;
    const changes = isChange.test(method);
    const headers = { authorization: `Bearer ${token}` };
    const init = { method: "POST", headers, body: formOf(args) };
    const response = await this.request(method, `${url.replace(/\/+$/, "")}/${method}`, init, changes);
    const answer = (await response.json().catch((error: Error) => {
      const words = `${method}: the answer broke off, or is no JSON: ${error.message}`;
      throw changes ? uncertain(words, { cause: error }) : retry(words, { cause: error });
    })) as Answer & MethodAnswer;
    if (answer.ok) return answer;
    const { error: name = "refused", needed, response_metadata: more } = answer;
    const words = [`${method}: ${name}`, ...(needed ? [`(${needed})`] : []), ...(more?.messages ?? [])].join(
      " ",
    );
    const refusal = refusalOf(errors, { name, words, changes, isVital: vital.test(method) });
    if (refusal !== undefined) throw refusal;
    return answer;
  }

  /** Everything that a method lists under `key`, page by page. `patience`: for each of them, since who began anew after each wait would never end. */
  list<Key extends keyof Answer>(
    key: Key,
    method: string,
    args: object,
    patience: Patience = (ask) => ask(),
  ): Promise<Array<Item<Answer[Key]>>> {
    return allPages(async (cursor) => {
      const answer = await patience(() => this.call(method, { limit: 200, ...args, cursor }));
      return { items: answer[key] as Array<Item<Answer[Key]>>, next: answer.response_metadata?.next_cursor };
    });
  }

  /** For look-ups: what a method tells under `key` of the id that it is given under the same name. */
  one<Key extends keyof Answer & string>(key: Key, method: string): (id: string) => Promise<Answer[Key]> {
    return async (id) => (await this.call(method, { [key]: id }))[key];
  }

  /** Any request that belongs to it (an upload). `limit`: what it is counted against. A 2xx answer, whose body is not read yet. */
  async request(limit: string, url: string, init: RequestInit, changes = false): Promise<Response> {
    const waitMs = (this.#waits.get(limit) ?? 0) - performance.now();
    if (waitMs > 0) throw rateLimited(`${limit}: the platform asked to wait`, waitMs);
    // Of a 5xx nobody knows how far it came.
    const judge: Judge = ({ status, text }) =>
      status >= 500 && changes ? uncertain(`${limit}: ${status} ${text}`) : undefined;
    try {
      const asked = request(this.#ctx, url, init, judge);
      const response = await (changes ? asked : reading(asked));
      const date = Date.parse(response.headers.get("date") ?? "");
      if (!Number.isNaN(date)) this.clockAheadMs = date - Date.now();
      return response;
    } catch (error) {
      if (error instanceof SpoolwayError && error.fate === "rate_limited")
        this.#waits.set(limit, performance.now() + (error.retryAfterMs ?? 0));
      throw error;
    }
  }
}

/** Arguments as a form: those that are undefined left out, what is no text as JSON. */
export function formOf(given: object): URLSearchParams {
  const form = new URLSearchParams();
  for (const [name, value] of Object.entries(given))
    if (value !== undefined) form.set(name, typeof value === "string" ? value : JSON.stringify(value));
  return form;
}
