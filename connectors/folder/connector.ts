// A watched folder as a connector: what people and programs drop there becomes events.
import { defineConnector } from "spoolway/sdk";
import { type FolderConfig, openPlace } from "./place.ts";
import { Watcher } from "./watcher.ts";

export default defineConnector<FolderConfig, Watcher>({
  async connect(ctx) {
    return new Watcher(await openPlace(ctx), ctx);
  },

  async receive(watcher) {
    await watcher.run();
  },

  async close(watcher) {
    watcher.close();
  },
});
