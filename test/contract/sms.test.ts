// The contract for SMS, on a real gammu-smsd with its dummy phone.
import { missingServer } from "../helpers/servers/daemon.ts";
import { Smsd } from "../helpers/servers/smsd.ts";
import { contract } from "./suite.ts";

let smsd: Smsd;
const ada = "+4915100000001";

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
    async event() {
      smsd.receive({ number: ada, texts: ["\u0001\u00ff"], isBinary: true });
      return { conversation: { id: ada }, raw: { parts: [{ Coding: "8bit", Text00: "01FF" }] } };
    },
  },
  heard: async (conversation) =>
    smsd
      .transmitted()
      .filter(({ number }) => number === conversation)
      .map(({ text }) => text),
  refused: { message: { conversation_id: "ada", text: "hi" }, error: /ada: no phone number/ },
  oversize: { text: "schöne Grüße 👋 ".repeat(50), becomes: "refused" },
  server: { stop: () => smsd.stop(), kill: () => smsd.kill(), start: () => smsd.start() },
});
