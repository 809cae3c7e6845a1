// Somebody with a mailbox, as a test drives it: looks into folders over IMAP, and gets mail delivered over LMTP as a mail server would.
import { createHash } from "node:crypto";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { createTransport } from "nodemailer";
import { projectRoot } from "../command.ts";
import { mailPassword } from "./dovecot.ts";

interface Part {
  part?: string;
  type: string;
  dispositionParameters?: { filename?: string };
  parameters?: { name?: string };
  disposition?: string;
  childNodes?: Part[];
}

/** The part of imapflow that a test uses. */
interface Imap {
  connect(): Promise<void>;
  close(): void;
  on(event: "error", listener: () => void): void;
  mailboxCreate(path: string): Promise<unknown>;
  mailboxOpen(path: string): Promise<{ exists: number }>;
  messageFlagsAdd(range: string, flags: string[]): Promise<boolean>;
  messageMove(range: string, path: string): Promise<unknown>;
  fetchAll(
    range: string,
    query: object,
  ): Promise<Array<{ uid: number; headers?: Buffer; flags?: Set<string>; bodyStructure?: Part }>>;
  download(uid: string, part: string, options: object): Promise<{ content?: Readable }>;
}

export interface Seen {
  /** In lower case, unfolded. */
  headers: Map<string, string>;
  flags: string[];
  text: string;
  html: string | undefined;
  files: Array<{ name: string; size: number; sha256: string; bytes: Uint8Array | undefined }>;
}

/** Bytes of a file are kept up to here. */
const keptMaxBytes = 1_000_000;

export class MailUser {
  readonly imap: Imap;

  private constructor(imap: Imap) {
    this.imap = imap;
  }

  static async connect(user: string, port: number): Promise<MailUser> {
    const require = createRequire(join(projectRoot, "connectors/email/package.json"));
    const { ImapFlow } = require("imapflow") as { ImapFlow: new (options: object) => Imap };
    const auth = { user, pass: mailPassword };
    const imap = new ImapFlow({
      host: "127.0.0.1",
      port,
      secure: false,
      doSTARTTLS: false,
      auth,
      logger: false,
    });
    imap.on("error", () => undefined); // connect and every command reject as well
    await imap.connect();
    return new MailUser(imap);
  }

  close(): void {
    this.imap.close();
  }

  /** All mails of a folder, in their order. */
  async mails(folder = "INBOX"): Promise<Seen[]> {
    const { exists } = await this.imap.mailboxOpen(folder);
    if (exists === 0) return [];
    const found = await this.imap.fetchAll("1:*", {
      uid: true,
      headers: true,
      flags: true,
      bodyStructure: true,
    });
    const seen: Seen[] = [];
    for (const { uid, headers, flags, bodyStructure } of found) {
      const one: Seen = {
        headers: parse(headers),
        flags: [...(flags ?? [])],
        text: "",
        html: undefined,
        files: [],
      };
      for (const part of leaves(bodyStructure)) await this.#read(uid, part, one);
      seen.push(one);
    }
    return seen;
  }

  async #read(uid: number, part: Part, into: Seen): Promise<void> {
    const { content } = await this.imap.download(String(uid), part.part ?? "1", {
      uid: true,
      chunkSize: 1 << 20,
    });
    const hash = createHash("sha256");
    const kept: Buffer[] = [];
    let size = 0;
    for await (const chunk of content ?? []) {
      hash.update(chunk as Buffer);
      size += (chunk as Buffer).length;
      if (size <= keptMaxBytes) kept.push(chunk as Buffer);
    }
    const bytes = Buffer.concat(kept);
    const name = part.dispositionParameters?.filename ?? part.parameters?.name;
    if (part.disposition === "attachment" || name !== undefined)
      into.files.push({
        name: name ?? "",
        size,
        sha256: hash.digest("hex"),
        bytes: size <= keptMaxBytes ? bytes : undefined,
      });
    else if (part.type === "text/html") into.html = bytes.toString();
    else into.text += bytes.toString().replaceAll("\r\n", "\n").trimEnd();
  }
}

const leaves = (part: Part | undefined): Part[] =>
  part === undefined
    ? []
    : part.childNodes && part.type.startsWith("multipart/")
      ? part.childNodes.flatMap(leaves)
      : [part];

function parse(headers: Buffer | undefined): Map<string, string> {
  const lines = (headers ?? "")
    .toString()
    .replaceAll(/\r?\n(?=[ \t])/g, "")
    .split(/\r?\n/);
  return new Map(
    lines.map((line) => [line.split(":")[0]?.toLowerCase() ?? "", line.slice(line.indexOf(":") + 1).trim()]),
  );
}

/** A mail as nodemailer writes it, or as it stands (`raw`). Resolves when the server has it. */
export async function deliverMail(
  lmtpPort: number,
  envelope: { from: string; to: string },
  mail: Record<string, unknown>,
): Promise<void> {
  const transport = createTransport({
    host: "127.0.0.1",
    port: lmtpPort,
    lmtp: true,
    ignoreTLS: true,
  } as object);
  await transport.sendMail({
    from: envelope.from,
    to: envelope.to,
    ...mail,
    envelope: { from: envelope.from, to: [envelope.to] },
  });
}
