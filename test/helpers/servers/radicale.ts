// Radicale: a CalDAV server with one account and two calendars, and people who use them over plain HTTP. What is in a calendar is read from the server's own files.
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../ports.ts";
import { Daemon } from "./daemon.ts";

export const [user, password] = ["ada", "sesame"];

/** An entry as its file has it. */
export interface StoredEntry {
  path: string;
  text: string;
}

export class Radicale extends Daemon {
  readonly port: number;
  readonly folder: string;

  constructor(folder: string, port: number) {
    const args = ["--config", join(folder, "radicale.conf")];
    super({
      program: "radicale",
      args,
      folder,
      ready: async () => void (await this.ask("PROPFIND", `/${user}/`)),
    });
    this.port = port;
    this.folder = folder;
  }

  /** As somebody who knows the password. Throws when the server refuses. */
  async ask(
    method: string,
    path: string,
    body?: string,
    headers: Record<string, string> = {},
  ): Promise<Response> {
    const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
    const response = await fetch(`http://127.0.0.1:${this.port}${path}`, {
      method,
      headers: { authorization, ...headers },
      ...(body === undefined ? {} : { body }),
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return response;
  }

  async makeCalendar(path: string, name: string): Promise<void> {
    const body = `<?xml version="1.0"?><C:mkcalendar xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:set><D:prop><D:displayname>${name}</D:displayname></D:prop></D:set></C:mkcalendar>`;
    await this.ask("MKCALENDAR", path, body);
  }

  /** In the order in which they were written. */
  entries(calendar: string): StoredEntry[] {
    const folder = join(this.folder, "collections/collection-root", calendar);
    return readdirSync(folder)
      .filter((name) => name.endsWith(".ics"))
      .map((name) => ({ name, at: statSync(join(folder, name), { bigint: true }).mtimeNs }))
      .sort((a, b) => Number(a.at - b.at))
      .map(({ name }) => ({ path: `${calendar}${name}`, text: readFileSync(join(folder, name), "utf8") }));
  }
}

/** Writes its configuration; call start(). */
export async function makeRadicale(folder: string): Promise<Radicale> {
  const port = await freePort();
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "users"), `${user}:${password}\n`);
  const lines = [
    "[server]",
    `hosts = 127.0.0.1:${port}`,
    "[auth]",
    "type = htpasswd",
    `htpasswd_filename = ${folder}/users`,
    "htpasswd_encryption = plain",
    "delay = 0",
    "[storage]",
    `filesystem_folder = ${folder}/collections`,
    "[rights]",
    "type = owner_only",
  ];
  writeFileSync(join(folder, "radicale.conf"), `${lines.join("\n")}\n`);
  return new Radicale(folder, port);
}

/** Text as iCalendar wants it; lines are folded at 60 code points. */
const escaped = (text: string): string => text.replaceAll(/[\\;,]/g, "\\$&").replaceAll("\n", "\\n");
const folded = (line: string): string => (line.match(/.{1,18}/gsu) ?? []).join("\r\n ");

export interface Written {
  uid: string;
  summary: string;
  /** Further lines of the VEVENT. */
  lines?: readonly string[];
  /** Seconds since 1970 of LAST-MODIFIED. */
  changedS: number;
}

/** An entry as a calendar program writes it. */
export function icalOf({
  uid,
  summary,
  lines = ["DTSTART:20261201T090000Z", "DTEND:20261201T100000Z"],
  changedS,
}: Written): string {
  const stamp = `${new Date(changedS * 1000).toISOString().slice(0, 19).replaceAll(/[-:]/g, "")}Z`;
  const all = [
    "BEGIN:VCALENDAR",
    "VERSION:2.0",
    "PRODID:-//test//EN",
    "BEGIN:VEVENT",
    `UID:${uid}`,
    `DTSTAMP:${stamp}`,
    `LAST-MODIFIED:${stamp}`,
    folded(`SUMMARY:${escaped(summary)}`),
    ...lines,
    "END:VEVENT",
    "END:VCALENDAR",
  ];
  return `${all.join("\r\n")}\r\n`;
}

/** The value of a property, unfolded and as it was meant. */
export function propertyOf(text: string, name: string): string | undefined {
  const unfolded = text.replaceAll(/\r?\n[ \t]/g, "");
  const value = new RegExp(`^${name}(?:;[^:\\r\\n]*)?:(.*)$`, "m").exec(unfolded)?.[1]?.trimEnd();
  return value?.replaceAll(/\\(.)/g, (_, char: string) => (char.toLowerCase() === "n" ? "\n" : char));
}
