// The contract of `folder`: a user of this platform is whoever writes files.
import { copyFileSync, existsSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { waitFor } from "../helpers/wait.ts";
import { contract } from "./suite.ts";

let drop: string;
let count = 0;

contract({
  type: "folder",
  conversation: "drop",
  keepsWhileAway: true,
  refusesLarge: true,

  async open({ folder }) {
    drop = folder;
    return { path: folder, conversation_id: "drop", sender: "ada", settle: "300ms" };
  },
  async close() {},

  async say({ conversation, text }) {
    count += 1;
    const name = `${String(count).padStart(6, "0")}.json`;
    writeFileSync(join(drop, name), JSON.stringify({ text, key: [name] }));
    return { conversation, text, key: name };
  },
  // Somebody puts it back from .done: it says its own key, so it is the same event.
  async sayAgain({ key }) {
    const done = join(drop, ".done");
    // The event is in the inbox a moment before its file is moved away.
    const find = () => existsSync(done) && readdirSync(done).find((name) => name.endsWith(key ?? ""));
    const moved = await waitFor(find, { message: `${key} in .done` });
    copyFileSync(join(done, moved), join(drop, `${key}.tmp`));
    renameSync(join(drop, `${key}.tmp`), join(drop, key ?? ""));
  },
  async sayFile({ name, bytes }) {
    writeFileSync(join(drop, name), bytes);
  },
});
