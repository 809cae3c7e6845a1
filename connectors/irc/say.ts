// Lines on the wire, and what the server answers to them. With labeled-response its answers carry our label; without, they are known by the target that
// they name and by the text that an echo brings back.
import { randomBytes } from "node:crypto";
import type { IrcMessage } from "irc-framework";
import { reject, retry, type SpoolwayError } from "spoolway/sdk";
import { isChannel } from "./events.ts";
import type { Link } from "./link.ts";

/** What is said in one line: its text is what an echo brings back. */
export interface Line {
  command: "PRIVMSG" | "NOTICE" | "TAGMSG";
  text?: string;
  tags: Record<string, string>;
}

export interface Answer {
  /** The first refusal, as the fate of the message. */
  problem: SpoolwayError | undefined;
  /** Of the lines' echoes, in their order. */
  msgids: string[];
}

/** Says the lines to one target and resolves when the server has worked them off. Throws as link.exchange does. */
export async function say(link: Link, target: string, lines: readonly Line[]): Promise<Answer> {
  const { cap } = link.client.network;
  const label = cap.isEnabled("labeled-response") ? randomBytes(6).toString("hex") : undefined;
  const isAnswer = label === undefined ? unlabelled(link, target, lines) : labelled(link, target, label);
  const wire = lines.map((line, at) => encode(line, target, label && `${label}-${at}`));
  const answers = await link.exchange(wire, isAnswer);
  const refusal = answers.find(isRefusal);
  return {
    problem: refusal && problemOf(refusal, target, link),
    msgids: answers.filter((answer) => link.isEcho(answer)).flatMap(({ tags }) => tags.msgid ?? []),
  };
}

function labelled(link: Link, target: string, label: string): (message: IrcMessage) => boolean {
  const batches = new Set<string>();
  return (message) => {
    const { command, params, tags } = message;
    if (tags.label?.startsWith(label)) {
      // An answer of several messages: they carry the batch's name instead of the label.
      if (command === "BATCH" && params[0]?.startsWith("+")) batches.add(params[0].slice(1));
      return true;
    }
    return batches.has(tags.batch ?? "") || isRefusalOf(message, target, link);
  };
}

function unlabelled(link: Link, target: string, lines: readonly Line[]): (message: IrcMessage) => boolean {
  // Each line has one echo: a second one is the message that we said to ourselves.
  const missing = link.client.network.cap.isEnabled("echo-message") ? lines.map((line) => line.text) : [];
  return (message) => {
    const at =
      link.isEcho(message) && isAbout(message.params[0], target, link)
        ? missing.indexOf(message.params[1])
        : -1;
    if (at >= 0) missing.splice(at, 1);
    return at >= 0 || isRefusalOf(message, target, link);
  };
}

const isAbout = (name: string | undefined, target: string, link: Link): boolean =>
  link.fold(name ?? "") === link.fold(target);

const isRefusalOf = (message: IrcMessage, target: string, link: Link): boolean =>
  isRefusal(message) && (message.command === "FAIL" || isAbout(message.params[1], target, link));

/** FAIL, or a numeric that says no. 43x are about our own nick. */
function isRefusal({ command, params }: IrcMessage): boolean {
  if (command === "FAIL") return ["PRIVMSG", "NOTICE", "TAGMSG"].includes(params[0] ?? "");
  return /^(?:4(?!3[1-8])\d\d|5\d\d|716|707|936)$/.test(command);
}

function problemOf({ command, params }: IrcMessage, target: string, link: Link) {
  const words = params.at(-1) || `error ${command}`;
  const message = `${target}: ${words}`;
  // Target change too fast: the server takes it in a while, and often says in how many seconds.
  if (command === "439" || command === "707") {
    return retry(message, { retryAfterMs: 1000 * Number(/\d+/.exec(words)?.[0] ?? 60) });
  }
  if (command === "401")
    return reject(message, "no_such_nick", {
      hint: "Nobody of that name is online; IRC keeps nothing for them.",
    });
  if (isChannel(target, link) && ["403", "404", "442"].includes(command)) {
    return reject(message, "rejected", { hint: `Is ${target} among channels, and may we speak there?` });
  }
  return reject(message);
}

const tagEscapes: Record<string, string> = { ";": "\\:", " ": "\\s", "\\": "\\\\", "\r": "\\r", "\n": "\\n" };

/** The line as it goes out; the last parameter always with its colon, so that no text is taken for anything else. */
function encode({ command, text, tags }: Line, target: string, label: string | undefined): string {
  const pairs = Object.entries(label === undefined ? tags : { ...tags, label }).map(
    ([name, value]) => `${name}=${value.replace(/[; \\\r\n]/g, (char) => tagEscapes[char] ?? "")}`,
  );
  const prefix = pairs.length === 0 ? "" : `@${pairs.join(";")} `;
  return `${prefix}${command} ${target}${text === undefined ? "" : ` :${text}`}`;
}
