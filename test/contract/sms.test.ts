// The contract for SMS, on a real gammu-smsd with its dummy phone.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { missingServer } from "../helpers/servers/daemon.ts";
import { Smsd } from "../helpers/servers/smsd.ts";
import { contract } from "./suite.ts";

let smsd: Smsd;
const ada = "+4915100000001";

/** What smsd gave the phone, in that order. */
function sentTo(number: string): string[] {
  const files = readdirSync(smsd.spool("sent")).filter((name) => name.includes(`_${number}_`));
  const log = readFileSync(`${smsd.folder}/smsd.log`, "utf8");
  const at = (name: string): number => log.indexOf(`Transmitted ${name}`);
  return files
    .sort(
      (a, b) =>
        at(a) - at(b) || statSync(smsd.spool("sent", a)).ctimeMs - statSync(smsd.spool("sent", b)).ctimeMs,
    )
    .map((name) => readFileSync(smsd.spool("sent", name)).toString("utf16le").slice(1));
}

contract({
  type: "sms",
  conversation: ada,
  otherConversation: "+4915100000002",
  missing: missingServer("gammu-smsd"),
  keepsWhileAway: true,

  async open({ folder }) {
    smsd = new Smsd(folder);
    await smsd.start();
    return { folder: smsd.spool() };
  },
  close: () => smsd.kill(),

  async say({ conversation, text }) {
    smsd.receive({ number: conversation, texts: [text] });
    return { conversation, text };
  },
  happens: {
    async receipt() {
      smsd.receive({ number: ada, texts: ["Delivered"], isReport: true });
      return { conversation: { id: ada }, content: { text: "Delivered" } };
    },
  },
  heard: async (conversation) => sentTo(conversation),
  refused: { message: { conversation_id: "ada", text: "hi" }, error: /ada: no phone number/ },
  oversize: { text: "schöne Grüße 👋 ".repeat(50), becomes: "refused" },
  server: { stop: () => smsd.stop(), kill: () => smsd.kill(), start: () => smsd.start() },
});
