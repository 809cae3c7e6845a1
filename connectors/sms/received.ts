// A file of gammu-smsd's inbox (InboxFormat detail) as an event: one message, all its parts in one file, or a delivery report.
import { type Draft, SpoolwayError } from "spoolway/sdk";

type Part = Record<string, string>;

/** `name` is the file's. Throws invalid_event for what is no file of that format. */
export function toDraft(file: string, name: string, key: string[]): Draft {
  const parts = partsOf(file);
  const [first] = parts;
  if (first === undefined) {
    const hint = "Set inboxformat = detail in gammu-smsd's configuration, and restart it.";
    throw new SpoolwayError("invalid_event", `${name} is no file of the format detail`, { hint });
  }
  const number = ucs2(first.NumberUnicode ?? "");
  const text = parts.map(textOf).join("");
  const isReport = first.PDU === "Status_Report";
  const isText = !parts.some(({ Coding = "" }) => Coding.startsWith("8bit"));
  return {
    key,
    kind: isReport ? "receipt" : isText ? "message" : "event",
    occurred_at: timeOf(first.DateTime),
    sender: { id: number },
    conversation: { id: number, type: "direct" },
    content: isText ? { text, format: "plain" } : undefined,
    raw: { file: name, parts },
  };
}

/** The sections, each a part, with the names that gammu gives their values. */
function partsOf(file: string): Part[] {
  const sections = file.split(/^\[SMSBackup\d+\]\r?$/m).slice(1);
  const values = (section: string) => [...section.matchAll(/^(\w+) = (.*?)\r?$/gm)];
  return sections.map((section) =>
    Object.fromEntries(values(section).map(([, name = "", value = ""]) => [name, value])),
  );
}

const textOf = (part: Part): string =>
  Object.keys(part)
    .filter((name) => /^Text\d+$/.test(name))
    .sort()
    .map((name) => ucs2(part[name] ?? ""))
    .join("");

const ucs2 = (hex: string): string => Buffer.from(hex, "hex").swap16().toString("utf16le");

/** "20261121T114500Z"; without the zone nobody knows which time it is. */
function timeOf(value = ""): string | undefined {
  const found = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(value);
  return found ? `${found.slice(1, 4).join("-")}T${found.slice(4).join(":")}Z` : undefined;
}
