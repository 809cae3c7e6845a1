// E-mail: folders of a mailbox as events, and mail to people. folder.ts follows one IMAP folder, smtp.ts sends.
import { defineConnector } from "spoolway/sdk";
import { warnMailInClear } from "spoolway/sdk/mail/server";
import { followAll } from "spoolway/sdk/mail/numbered-folder";
import { Recent } from "spoolway/sdk/recent";
import { Folder } from "./folder.ts";
import type { Config } from "./manifest.d.ts";
import { type Outbound, sendMail, tryLogin } from "./smtp.ts";

export default defineConnector<Config, Outbound & { folders: Folder[] }>({
  async connect(ctx) {
    const { imap, smtp, folders: paths } = ctx.config;
    warnMailInClear(ctx);
    const subjects = await Recent.open<string>(ctx.state, "subjects", 500);
    const folders: Folder[] = [];
    try {
      if (smtp) await tryLogin(smtp, ctx);
      // One after the other: wrong credentials are one failed login, and not one for each folder.
      if (imap) for (const path of paths) folders.push(await Folder.open(path, imap, subjects, ctx));
    } catch (error) {
      for (const folder of folders) folder.close();
      throw error;
    }
    return { folders, subjects };
  },
  receive: ({ folders }, { signal }) => followAll(folders, signal),
  send: sendMail,
  probe: async ({ folders }) => void (await Promise.all(folders.map((folder) => folder.probe()))),
  close: async ({ folders }) => folders.forEach((folder) => folder.close()),
});
