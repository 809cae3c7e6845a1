// A watched folder as a connector: what people and programs drop there becomes events.
import { defineConnector, parseDuration } from "spoolway/sdk";
import { FolderWatch } from "spoolway/sdk/folder/watch";
import { openUserFolder } from "spoolway/sdk/folder/user-folder";
import { isJson } from "./event.ts";
import { Handler, keptKey } from "./handler.ts";
import type { Config } from "./manifest.d.ts";

export default defineConnector<Config, FolderWatch>({
  async connect(ctx) {
    const { path, pattern, recursive, after, settle } = ctx.config;
    const root = await openUserFolder(ctx, path, { recursive, write: after !== "keep" });
    const handler = new Handler(root, ctx);
    return new FolderWatch(root, ctx, {
      recursive,
      pattern,
      settleMs: parseDuration(settle),
      changeTime: after !== "keep",
      early: isJson,
      take: (entry, settled) => handler.take(entry, settled),
      forget: (name) => ctx.state.delete(keptKey(name)),
    });
  },

  receive: (watch) => watch.run(),
});
