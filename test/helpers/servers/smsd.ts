// gammu-smsd with its dummy phone: what is put into the folder of the phone was received by radio; what it transmits smsd moves to sent, and says so in its log.
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Daemon } from "./daemon.ts";

export interface Radio {
  number: string;
  /** One, or several parts of one message. */
  texts: string[];
  /** A delivery report instead of a message. */
  isReport?: boolean;
}

const hex = (text: string): string => Buffer.from(text, "utf16le").swap16().toString("hex").toUpperCase();

export class Smsd extends Daemon {
  readonly folder: string;
  #slot = 0;

  /** Its spool is in folder/spool. */
  constructor(folder: string) {
    for (const name of ["inbox", "outbox", "sent", "error"])
      mkdirSync(join(folder, "spool", name), { recursive: true });
    for (const n of [1, 2, 3, 4, 5]) mkdirSync(join(folder, "dev", "sms", String(n)), { recursive: true });
    mkdirSync(join(folder, "air"), { recursive: true });
    const log = join(folder, "smsd.log");
    const config = `[gammu]
model = dummy
connection = none
port = ${folder}/dev
[smsd]
service = files
logfile = ${log}
debuglevel = 255
inboxpath = ${folder}/spool/inbox/
outboxpath = ${folder}/spool/outbox/
sentsmspath = ${folder}/spool/sent/
errorsmspath = ${folder}/spool/error/
inboxformat = detail
outboxformat = unicode
transmitformat = auto
deliveryreport = sms
checksecurity = 0
receivefrequency = 1
commtimeout = 1
loopsleep = 1
`;
    writeFileSync(join(folder, "smsdrc"), config);
    writeFileSync(log, "");
    let starts = 0;
    const ready = async (): Promise<void> => {
      const begun = readFileSync(log, "utf8").split("Starting phone communication").length - 1;
      if (begun <= starts) throw new Error("it does not talk to its phone yet");
      starts = begun;
    };
    super({ program: "gammu-smsd", args: ["-c", join(folder, "smsdrc")], folder, ready });
    this.folder = folder;
  }

  /** The phone receives it; smsd takes it from there sooner or later. */
  receive({ number, texts, isReport = false }: Radio): void {
    const of = texts.length.toString(16).padStart(2, "0");
    for (const [index, text] of texts.entries()) {
      this.#slot += 1;
      const stamp = new Date(1_700_000_000_000 + this.#slot * 1000)
        .toISOString()
        .replaceAll(/[-:]|\.\d+Z$/g, "");
      const part = (index + 1).toString(16).padStart(2, "0");
      const lines = (hex(text).match(/.{1,200}/g) ?? []).map(
        (line, n) => `Text${String(n).padStart(2, "0")} = ${line}`,
      );
      const message = [
        "[SMSBackup000]",
        `PDU = ${isReport ? "Status_Report" : "Deliver"}`,
        'SMSC = "+1234"',
        `DateTime = ${stamp}`,
        "State = UnRead",
        `Number = "${number}"`,
        ...(texts.length > 1 ? [`UDH = 0500037A${of}${part}`] : []),
        ...lines,
        "RejectDuplicates = False",
        "Coding = Unicode_No_Compression",
        "Folder = 1",
        `Length = ${text.length}`,
        "Class = -1",
        "ReplySMSC = False",
      ];
      const path = join(this.folder, "air", String(this.#slot));
      writeFileSync(path, `${message.join("\n")}\n`);
      renameSync(path, join(this.folder, "dev", "sms", "1", String(this.#slot)));
    }
  }

  /** Where its files are. */
  spool(...names: string[]): string {
    return join(this.folder, "spool", ...names);
  }
}
