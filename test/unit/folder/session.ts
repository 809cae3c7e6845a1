// A folder connector on a home of its own, without a bus; ended after each test of the file that imports this.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach } from "vitest";
import connector from "../../../connectors/folder/connector.ts";
import type { Config } from "../../../connectors/folder/manifest.d.ts";
import type { FolderWatch } from "../../../runtime/sdk/folder/watch.ts";
import type { SpoolwayError } from "../../../runtime/errors.ts";
import { TestContext } from "../../helpers/context.ts";

export let home: string;
export let state: Map<string, unknown>;
let running: Array<() => Promise<void>>;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "spoolway-folder-"));
  state = new Map();
  running = [];
});

afterEach(async () => {
  for (const end of running) await end();
  rmSync(home, { recursive: true, force: true });
});

export async function start(
  more: Partial<Config> = {},
  prepare: (ctx: TestContext<Config>) => void = () => undefined,
) {
  const config: Config = { path: "drop", recursive: false, after: "move", settle: "200ms", ...more };
  const ctx = new TestContext<Config>("folder", home, config, state);
  prepare(ctx);
  const session: FolderWatch = await connector.connect(ctx);
  const received = connector.receive!(session, ctx);
  received.catch(() => undefined);
  const end = async (): Promise<void> => {
    ctx.abort();
    await received.catch(() => undefined);
    await connector.close?.(session);
  };
  running.push(end);
  return { ctx, received, end };
}

export const at = (name: string): string => join(home, "drop", name);

export function put(name: string, content: string | Uint8Array | object): string {
  mkdirSync(dirname(at(name)), { recursive: true });
  const text =
    typeof content === "string" || content instanceof Uint8Array ? content : JSON.stringify(content);
  writeFileSync(at(name), text);
  return at(name);
}

export const reason = (name: string): { code: string; error: string; hint: string } =>
  JSON.parse(readFileSync(at(`.failed/${name}.error.json`), "utf8"));

export const thrown = (promise: Promise<unknown>): Promise<SpoolwayError> =>
  promise.then(
    () => Promise.reject(new Error("it was expected to throw")),
    (error: unknown) => error as SpoolwayError,
  );
