// gammu-smsd with its dummy phone: what is put into the folder of the phone was received by radio; what it transmits smsd writes into its log, and moves the file to sent. Its clock
// goes ten times as fast where libfaketime is installed: it sleeps for a second after each look at its folders and its phone.
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { smsParts } from "../../../runtime/sdk/text/sms-parts.ts";
import { fakeTimeLibrary } from "../fakeClock.ts";
import { Daemon } from "./daemon.ts";

export interface Radio {
  number: string;
  /** One, or several parts of one message. */
  texts: string[];
  /** A delivery report instead of a message. */
  isReport?: boolean;
  /** Bytes instead of text: each of the texts is one byte a character. */
  isBinary?: boolean;
  /** Of how many parts these are the first; default: all. */
  of?: number;
}

export interface Transmitted {
  number: string;
  /** All parts joined. */
  text: string;
  parts: number;
  /** Whether the network was asked to report the delivery. */
  asksReport: boolean;
}

const hex = (text: string, encoding: BufferEncoding = "utf16le"): string => {
  const bytes = Buffer.from(text, encoding);
  return (encoding === "utf16le" ? bytes.swap16() : bytes).toString("hex").toUpperCase();
};

/** In 7 bits what the alphabet has not is lost; the log has the text as it was before. */
const inSevenBits = (text: string): string =>
  [...text].map((char) => (smsParts(char.repeat(71)) === 1 ? char : "?")).join("");

const fast = {
  LD_PRELOAD: fakeTimeLibrary ?? "",
  FAKETIME: "+0 x10",
  FAKETIME_DONT_RESET: "1",
  NO_FAKE_STAT: "1",
};

export class Smsd extends Daemon {
  readonly folder: string;
  readonly #log: string;
  #slot = 0;

  /** Its spool is in folder/spool. `settings` are lines of its section smsd, besides ours. */
  constructor(folder: string, settings = "") {
    for (const name of ["inbox", "outbox", "sent", "error"])
      mkdirSync(join(folder, "spool", name), { recursive: true });
    for (const n of [1, 2, 3, 4, 5]) mkdirSync(join(folder, "dev", "sms", String(n)), { recursive: true });
    mkdirSync(join(folder, "air"), { recursive: true });
    const log = join(folder, "smsd.log");
    // A look at the phone costs it more than all else, a look at the outbox nothing.
    const receiveFrequency = fakeTimeLibrary === undefined ? 1 : 5;
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
transmitformat = auto
deliveryreport = no
checksecurity = 0
receivefrequency = ${receiveFrequency}
commtimeout = 1
loopsleep = 1
${settings}
`;
    writeFileSync(join(folder, "smsdrc"), config);
    writeFileSync(log, "");
    let starts = 0;
    const ready = async (): Promise<void> => {
      const begun = readFileSync(log, "utf8").split("Starting phone communication").length - 1;
      if (begun <= starts) throw new Error("it does not talk to its phone yet");
      starts = begun;
    };
    // With a locale of UTF-8, as a system has it: the log and the comments in inbox have the whole text then.
    const env = { LC_ALL: "C.UTF-8", ...(fakeTimeLibrary === undefined ? {} : fast) };
    super({ program: "gammu-smsd", args: ["-c", join(folder, "smsdrc")], folder, env, ready });
    this.folder = folder;
    this.#log = log;
  }

  /** The phone receives it; smsd takes it from there sooner or later. */
  receive({ number, texts, isReport = false, isBinary = false, of = texts.length }: Radio): void {
    const all = of.toString(16).padStart(2, "0");
    for (const [index, text] of texts.entries()) {
      this.#slot += 1;
      const stamp = new Date(1_700_000_000_000 + this.#slot * 1000)
        .toISOString()
        .replaceAll(/[-:]|\.\d+Z$/g, "");
      const part = (index + 1).toString(16).padStart(2, "0");
      const bytes = hex(text, isBinary ? "latin1" : "utf16le");
      const lines = (bytes.match(/.{1,200}/g) ?? []).map(
        (line, n) => `Text${String(n).padStart(2, "0")} = ${line}`,
      );
      const message = [
        "[SMSBackup000]",
        `PDU = ${isReport ? "Status_Report" : "Deliver"}`,
        'SMSC = "+1234"',
        `DateTime = ${stamp}`,
        "State = UnRead",
        `Number = "${number}"`,
        ...(of > 1 ? [`UDH = 0500037A${all}${part}`] : []),
        ...lines,
        "RejectDuplicates = False",
        `Coding = ${isBinary ? "8bit" : "Unicode_No_Compression"}`,
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

  /** What the phone was given to transmit, message by message, in that order: not what lies in sent, which is what we wrote ourselves. */
  transmitted(): Transmitted[] {
    const found: Transmitted[] = [];
    const lines = readFileSync(this.#log, "utf8")
      .split("\n")
      .map((line) => line.replace(/^\w{3} [\d/]+ [\d:]+ gammu-smsd\[\d+\]: /, ""));
    let [text, begin, isUnicode, asksReport] = ["", 0, false, false];
    for (const [n, line] of lines.entries()) {
      const [, report] = / dlr: (-?\d+) fls: -?\d+$/.exec(line) ?? [];
      if (report !== undefined) asksReport = report === "1";
      const [, coding, length] = /^gammu: (7 bit|Unicode) SMS, length (\d+)/.exec(line) ?? [];
      // Before a text in Unicode come an empty line and its bytes, 16 in a line.
      if (coding !== undefined) {
        isUnicode = coding === "Unicode";
        begin = n + 1 + (isUnicode ? 1 + Math.ceil(Number(length) / 8) : 0);
      }
      if (line.startsWith("SMS sent on device")) {
        const part = lines.slice(begin, n).map((one) => one.replace(/^gammu: /, ""));
        text += isUnicode ? part.join("\n") : inSevenBits(part.join("\n"));
      }
      const [, parts, number = ""] = /^Transmitted \S+ \(total: (\d+)\) to (\S+),/.exec(line) ?? [];
      if (parts === undefined) continue;
      found.push({ number, text, parts: Number(parts), asksReport });
      text = "";
    }
    return found;
  }

  /** Where its files are. */
  spool(...names: string[]): string {
    return join(this.folder, "spool", ...names);
  }
}
