// From the socket to a registered nick: the server's password, SASL, a nick that is free.
//
//   connecting ─▶ 001 ─▶ (all of the welcome is read) ─▶ registered
//       ├─ 433: nick_, nick__, …      ├─ SASL did not log in, refused, banned: stop, or an error that is worth another try
import type { IrcMessage } from "irc-framework";
import { type Context, reconnect, sleep, SpoolwayError, stop } from "spoolway/sdk";
import { address, type IrcConfig } from "./config.ts";
import type { Link } from "./link.ts";
import { refusal, saslProblem } from "./problems.ts";

const registerMs = 45_000;

/** Opens the link and resolves when we are registered. Throws stop when only a person can help. */
export async function register(link: Link, ctx: Context<IrcConfig>): Promise<void> {
  const { config } = link;
  if (!config.tls && (config.password ?? config.sasl?.password) !== undefined) {
    const hint = "Use TLS: everybody on the way can read it.";
    ctx.log.warn("irc.password_in_clear", { server: address(config), hint });
  }
  const done = new AbortController();
  const words: string[] = [];
  const unlisten = link.listen(({ command, params }) => {
    if (["463", "465"].includes(command)) words.push(params.at(-1) ?? "");
    return false;
  });
  try {
    const late = sleep(registerMs, done.signal).then(() => {
      throw reconnect(`${address(config)} did not finish the registration`);
    });
    await Promise.race([welcome(link), late]);
    // The welcome (ISUPPORT among it) is sent in one go: what comes after the PONG is no part of it.
    await link.exchange([], () => false);
  } catch (error) {
    // A ban is said in 465 or in ERROR, before or after 001, with the reason in either.
    if (link.goodbye !== "") words.push(link.goodbye);
    const isLoss = link.lost.aborted && !(error instanceof SpoolwayError && error.fate === "stop");
    throw isLoss && words.length > 0 ? refusal(words.join("; "), config) : error;
  } finally {
    unlisten();
    done.abort();
  }
}

/** Opens the link; resolves with 001, rejects with whatever stands in its way. */
function welcome(link: Link): Promise<void> {
  const { config, client } = link;
  const nicks = otherNicks(config.nick);
  let isLoggedIn = false;
  return new Promise<void>((resolve, reject) => {
    client.on("loggedin", () => (isLoggedIn = true));
    client.on("sasl failed", ({ reason, message }) => reject(saslProblem(reason, message, config)));
    link.lost.addEventListener("abort", () => reject(link.lost.reason as Error), { once: true });
    const unlisten = link.listen((message) => {
      const { command } = message;
      if (command === "903") isLoggedIn = true;
      if (command === "001") {
        unlisten();
        if (config.sasl && !isLoggedIn) reject(saslProblem("capability_missing", undefined, config));
        else resolve();
      }
      if (command === "432" || command === "464") reject(problemOf(message, config));
      if (["433", "436", "437"].includes(command)) {
        const next = nicks.shift();
        if (next === undefined)
          reject(reconnect(`${address(config)}: ${config.nick} and its like are in use`));
        else link.write(`NICK ${next}`);
      }
      return false;
    });
    link.open();
  });
}

function problemOf({ command, params }: IrcMessage, config: IrcConfig): Error {
  const words = params.at(-1) ?? "";
  const hint = "Set password to the server's password in connectors.yml.";
  if (command === "464") return stop(`${address(config)}: ${words}`, hint);
  const refused = `${address(config)} does not accept the nick ${params.at(-2) ?? config.nick}: ${words}`;
  return stop(refused, "Change nick in connectors.yml.", "bad_nick");
}

/** What to be called as long as the wanted nick is taken. Servers cut long nicks off: the last ones are short. */
function otherNicks(nick: string): string[] {
  const short = (): string => `${nick.slice(0, 6)}${Math.floor(100 + Math.random() * 900)}`;
  return [`${nick}_`, `${nick}__`, `${nick}___`, short(), short(), short()];
}
