// A file of gammu-smsd's inbox (InboxFormat detail) as an event: one message, all its parts in one file, or a delivery report.
import { type Draft, SpoolwayError } from "spoolway/sdk";

type Part = Record<string, string>;

/** The sections, each a part, with the names that gammu gives their values. */
export function partsOf(file: string): Part[] {
  const parts: Part[] = [];
  // Only \n ends a line: the comments hold the text as it was sent, with all other line ends that somebody may have put into it.
  for (const line of file.split("\n")) {
    if (/^\[SMSBackup\d+\]\r?$/.test(line)) parts.push({});
    const [, name, value] = /^(\w+) = ([^\r]*)\r?$/.exec(line) ?? [];
    const part = parts.at(-1);
    if (part !== undefined && name !== undefined && value !== undefined) part[name] = value;
  }
  return parts;
}

/** Whether smsd has written all of it. Each part ends with an empty line, and says how many there are; of these some may never have come. */
export function isWhole(file: string, parts: Part[]): boolean {
  // The header that joins parts: its length, 00 03 and a number of one byte or 08 04 and one of two, how many, which.
  const [, of = "1"] = /^..(?:0003..|0804....)(..)../.exec(parts[0]?.UDH ?? "") ?? [];
  return endsWhole(file) && parts.length >= Number.parseInt(of, 16);
}

const endsWhole = (file: string): boolean => file.endsWith("\n\n");

/** `name` is the file's. Throws invalid_event for what is no file of that format, or only its beginning. */
export function toDraft(file: string, name: string, key: string[]): Draft {
  const parts = partsOf(file);
  const [first] = parts;
  if (first === undefined) {
    const hint = "Set inboxformat = detail in gammu-smsd's configuration, and restart it.";
    throw new SpoolwayError("invalid_event", `${name} is no file of the format detail`, { hint });
  }
  if (!endsWhole(file)) {
    const hint =
      "gammu-smsd did not finish it: was the disk full? While the phone has the message, it comes again.";
    throw new SpoolwayError("invalid_event", `${name} is cut off`, { hint });
  }
  // Without a number it is still a message; an answer to this is refused.
  const number = ucs2(first.NumberUnicode ?? "") || "unknown";
  const isReport = first.PDU === "Status_Report";
  const isText = !parts.some(({ Coding = "" }) => Coding.startsWith("8bit"));
  return {
    key,
    kind: isReport ? "receipt" : isText ? "message" : "event",
    occurred_at: timeOf(first.DateTime),
    sender: { id: number },
    conversation: { id: number, type: "direct" },
    content: isText ? { text: parts.map(textOf).join(""), format: "plain" } : undefined,
    raw: { file: name, parts },
  };
}

const textOf = (part: Part): string =>
  Object.keys(part)
    .filter((name) => /^Text\d+$/.test(name))
    .sort()
    .map((name) => ucs2(part[name] ?? ""))
    .join("");

function ucs2(hex: string): string {
  if (!/^([0-9A-F]{4})*$/i.test(hex))
    throw new SpoolwayError("invalid_event", `no text: ${hex.slice(0, 100)}`);
  return Buffer.from(hex, "hex").swap16().toString("utf16le");
}

/** "20261121T114500Z"; without the zone nobody knows which time it is. */
function timeOf(value = ""): string | undefined {
  const found = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(value);
  return found ? `${found.slice(1, 4).join("-")}T${found.slice(4).join(":")}Z` : undefined;
}
