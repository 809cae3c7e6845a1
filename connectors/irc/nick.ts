// Getting the wanted nick back when another one had to do: at once when its holder leaves or changes (MONITOR where the server has it), and tried now and
// then in any case. A server that says no costs nothing.
import type { Context } from "spoolway/sdk";
import type { IrcConfig } from "./config.ts";
import type { Link } from "./link.ts";

/** Watches over our nick until the link is lost. */
export function keepNick(link: Link, ctx: Context<IrcConfig>): void {
  const wanted = link.config.nick;
  const isWanted = (nick: string | undefined): boolean =>
    nick !== undefined && link.fold(nick) === link.fold(wanted);
  const take = (): void => {
    if (!isWanted(link.nick)) link.write(`NICK ${wanted}`);
  };
  const watch = (): void => {
    ctx.log.warn("irc.nick_taken", { wanted, nick: link.nick });
    if (link.client.network.options.MONITOR !== undefined) link.write(`MONITOR + ${wanted}`);
    again();
  };
  let isTrying = false;
  const again = (): void => {
    if (isTrying) return;
    isTrying = true;
    link.later(link.config.nick_retry_s * 1000, () => {
      isTrying = false;
      if (isWanted(link.nick)) return;
      take();
      again();
    });
  };
  link.listen(({ command, nick, params }) => {
    const isLeaving = command === "QUIT" || command === "NICK";
    if (isLeaving && isWanted(nick) && !link.isMe(nick)) take();
    if (command === "731" && params.at(-1)?.split(",").some(isWanted)) take();
    if (command === "NICK" && link.isMe(nick)) {
      if (isWanted(params[0])) ctx.log.info("irc.nick_recovered", { nick: wanted });
      else if (isWanted(nick)) link.later(0, watch); // somebody took it away; after the link has learned the new one
    }
    return false;
  });
  if (!isWanted(link.nick)) watch();
}
