// From the socket to a registered nick: the server's password, SASL, a nick that is free.
//
//   connecting ─▶ 001 ─▶ (all of the welcome is read) ─▶ registered
//       ├─ 433: nick_, nick__, …      ├─ SASL did not log in, refused, banned: stop, or an error that is worth another try
import type { IrcMessage } from "irc-framework";
import { type Context, reconnect, stop } from "spoolway/sdk";
import { address, type IrcConfig } from "./config.ts";
import type { Link } from "./link.ts";
import { refusal, saslProblem } from "./problems.ts";

const registerMs = 45_000;
const maxNicks = 6;

/** Opens the link and resolves when we are registered. Throws stop when only a person can help. */
export async function register(link: Link, ctx: Context<IrcConfig>): Promise<void> {
  const { config } = link;
  if (!config.tls && (config.password ?? config.sasl?.password) !== undefined) {
    ctx.log.warn("irc.password_in_clear", {
      server: address(config),
      hint: "Use TLS: everybody on the way can read it.",
    });
  }
  const welcome = Promise.withResolvers<void>();
  const nicks = otherNicks(config.nick);
  let isLoggedIn = false;
  link.client.on("loggedin", () => (isLoggedIn = true));
  link.client.on("sasl failed", ({ reason, message }) =>
    welcome.reject(saslProblem(reason, message, config)),
  );
  const unlisten = link.listen((message) => {
    if (message.command === "903") isLoggedIn = true;
    if (message.command === "001") {
      if (config.sasl && !isLoggedIn) welcome.reject(saslProblem("capability_missing", undefined, config));
      else welcome.resolve();
    }
    const problem = problemOf(message, config);
    if (problem) welcome.reject(problem);
    if (isNickTaken(message)) {
      const next = nicks.shift();
      if (next === undefined)
        welcome.reject(reconnect(`${address(config)}: ${config.nick} and others like it are in use`));
      else link.write(`NICK ${next}`);
    }
    return false;
  });
  link.lost.addEventListener("abort", () => welcome.reject(link.lost.reason as Error), { once: true });
  link.later(registerMs, () =>
    welcome.reject(reconnect(`${address(config)} did not finish the registration`)),
  );
  try {
    link.open();
    await welcome.promise;
    // The welcome (ISUPPORT among it) is sent in one go: what comes after the PONG is no part of it.
    await link.exchange([], () => false);
  } catch (error) {
    throw link.goodbye === "" ? error : refusalOr(error, link);
  } finally {
    unlisten();
  }
}

/** A ban after the welcome comes as ERROR, too. */
function refusalOr(error: unknown, link: Link): unknown {
  const isLoss = error === link.lost.reason || link.lost.aborted;
  return isLoss ? refusal(link.goodbye, link.config) : error;
}

function problemOf({ command, params }: IrcMessage, config: IrcConfig): Error | undefined {
  const words = params.at(-1) ?? "";
  if (command === "432") {
    return stop(
      `${address(config)} does not accept the nick ${config.nick}: ${words}`,
      "Change nick in connectors.yml.",
      "bad_nick",
    );
  }
  if (command === "464")
    return stop(`${address(config)}: ${words}`, "Set password to the server's password in connectors.yml.");
  if (["463", "465"].includes(command)) return refusal(`${words} (banned)`, config);
  return undefined;
}

const isNickTaken = ({ command }: IrcMessage): boolean => ["433", "436", "437"].includes(command);

/** What to be called as long as the wanted nick is taken. Servers cut long nicks off: the last ones are short. */
function otherNicks(nick: string): string[] {
  const long = ["_", "__", "___"].map((tail) => nick + tail);
  const short = Array.from(
    { length: maxNicks - long.length },
    () => `${nick.slice(0, 6)}${Math.floor(100 + Math.random() * 900)}`,
  );
  return [...long, ...short];
}
