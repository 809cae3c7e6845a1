// Being where we are wanted: logged in, under the wanted nick, in the configured channels. What is refused or lost later (a kick, a taken nick) is asked for
// again every `retry_s`; a channel that cannot be joined takes no other down.
import type { IrcMessage } from "irc-framework";
import { type Logger, reconnect, SpoolwayError, stop } from "spoolway/sdk";
import { passwordHint, refusedConnection } from "spoolway/sdk/goodbye";
import { Rooms } from "spoolway/sdk/rooms";
import type { Link } from "./link.ts";

const registerMs = 45_000;

/** Resolves when we are registered. Throws stop when only a person can help. */
export async function register(link: Link): Promise<void> {
  const late = reconnect(`${link.who} did not finish the registration`);
  const timer = setTimeout(() => link.lose(late), registerMs);
  try {
    await welcome(link);
    // The welcome (ISUPPORT among it) is sent in one go: what comes after the PONG is no part of it.
    await link.exchange([], () => false);
  } catch (error) {
    // A ban is said in 465 or in ERROR, before or after 001, with the reason in either.
    const isLoss = link.lost.aborted && !(error instanceof SpoolwayError && error.fate === "stop");
    const words = link.goodbye.join("; ");
    throw isLoss && words ? refusedConnection(link.who, words, link.config.password !== undefined) : error;
  } finally {
    clearTimeout(timer);
  }
}

/** Resolves with 001, rejects with whatever stands in its way. */
function welcome(link: Link): Promise<void> {
  const { nick, sasl } = link.config;
  const short = (): string => `${nick.slice(0, 6)}${Math.floor(100 + Math.random() * 900)}`;
  const nicks = [`${nick}_`, short(), short(), short()]; // servers cut long nicks off
  let isLoggedIn = sasl === undefined;
  return new Promise((resolve, reject) => {
    link.lost.addEventListener("abort", () => reject(link.lost.reason as Error), { once: true });
    link.client.on("sasl failed", ({ reason, message }) => reject(saslProblem(link, reason, message)));
    link.listen(({ command, params }) => {
      const words = `${link.who}: ${params.at(-1)}`;
      if (command === "903") isLoggedIn = true;
      else if (command === "464") reject(stop(words, passwordHint));
      else if (command === "432") reject(stop(words, "Change nick in connectors.yml.", "bad_nick"));
      else if (/^43[367]$/.test(command) && nicks[0]) link.write(`NICK ${nicks.shift()}`);
      else if (command === "001" && !isLoggedIn) reject(saslProblem(link, "capability_missing"));
      else if (command === "001") resolve();
      return false;
    });
  });
}

/** The SASL login failed; `reason` is irc-framework's. It never goes on without the login that it was told to use. */
function saslProblem({ who, config }: Link, reason: string, words = reason): SpoolwayError {
  const away = "It is tried again: services may be away. If the network has no SASL at all, remove sasl:.";
  if (reason === "capability_missing") return reconnect(`${who} offers no SASL login now`, { hint: away });
  const message = `SASL ${config.sasl?.mechanism} login at ${who} failed: ${words}`;
  return stop(message, "Check sasl.mechanism, sasl.account and sasl.password, or tls_cert.");
}

export class Presence {
  readonly rooms: Rooms;
  readonly #link: Link;
  readonly #log: Logger;

  constructor(link: Link, log: Logger) {
    this.#link = link;
    this.#log = log;
    const rooms = link.config.channels.map((entry) => (typeof entry === "string" ? { name: entry } : entry));
    const full = (name: string): string => (link.isChannel(name) ? name : `#${name}`);
    const named = rooms.map((room) => ({ ...room, name: full(room.name) }));
    this.rooms = new Rooms(named, (name) => link.fold(name), log);
    if (!link.isMe(link.config.nick)) this.#nickIs(link.nick);
    link.listen((message) => this.#follow(message));
  }

  /** Asks for what is missing, and resolves when the server has answered. Throws when the link is lost. */
  async restore(): Promise<void> {
    if (!this.#link.isMe(this.#link.config.nick)) this.#link.write(`NICK ${this.#link.config.nick}`);
    const joins = this.rooms.missing().map(({ name, key = "" }) => `JOIN ${name} ${key}`.trim());
    if (joins.length > 0) await this.#link.exchange(joins, () => false);
  }

  /** Keeps what we know true to the server's word. */
  #follow({ command, nick, params: [first = "", second = "", ...more] }: IrcMessage): boolean {
    const isOwn = this.#link.isMe(nick);
    if (command === "NICK" && isOwn) this.#nickIs(first);
    else if (command === "JOIN" && isOwn) this.rooms.entered(first);
    else if (command === "PART" && isOwn) this.rooms.absent(first, "removed from it", "irc.channel_left");
    else if (command === "KICK" && this.#link.isMe(second))
      this.rooms.absent(first, `kicked by ${nick}: ${more.join(" ")}`, "irc.channel_left");
    else if (/^[45]\d\d$/.test(command) && this.rooms.whyAbsent(second) !== undefined)
      this.rooms.absent(second, more.join(" "), "irc.join_failed");
    return false;
  }

  #nickIs(nick: string): void {
    const wanted = this.#link.config.nick;
    if (this.#link.fold(nick) === this.#link.fold(wanted)) this.#log.info("irc.nick_recovered", { nick });
    else this.#log.warn("irc.nick_taken", { wanted, nick });
  }
}
