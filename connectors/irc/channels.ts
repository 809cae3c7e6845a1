// The configured channels: joined at the start, joined again after a kick, tried again and again where the server says no. One that cannot be joined
// takes no other down.
//
//   out ─join─▶ in ─kick, part─▶ out (after rejoin_s, doubling up to five minutes while the server refuses)
import type { IrcMessage } from "irc-framework";
import type { Context } from "spoolway/sdk";
import type { IrcConfig } from "./config.ts";
import type { Link } from "./link.ts";

interface Channel {
  name: string;
  key: string | undefined;
  isJoined: boolean;
  /** Why not, in the server's words. */
  refusal: string;
  nextDelayMs: number;
  isWaiting: boolean;
}

const maxDelayMs = 300_000;
const perLine = 10;

export class Channels {
  readonly #link: Link;
  readonly #ctx: Context<IrcConfig>;
  readonly #wanted = new Map<string, Channel>();

  constructor(link: Link, ctx: Context<IrcConfig>) {
    this.#link = link;
    this.#ctx = ctx;
    for (const entry of link.config.channels) {
      const { name, key } = typeof entry === "string" ? { name: entry, key: undefined } : entry;
      const full = link.client.network.isChannelName(name) ? name : `#${name}`;
      this.#wanted.set(link.fold(full), {
        name: full,
        key,
        isJoined: false,
        refusal: "",
        nextDelayMs: this.#firstDelayMs(),
        isWaiting: false,
      });
    }
    link.listen((message) => this.#follow(message));
  }

  /** Resolves when each channel was joined or refused. Throws when the link is lost. */
  async joinAll(): Promise<void> {
    // Keys are matched by position: channels with a key come first.
    const all = [...this.#wanted.values()].sort(
      (a, b) => Number(b.key !== undefined) - Number(a.key !== undefined),
    );
    for (let at = 0; at < all.length; at += perLine) await this.#join(all.slice(at, at + perLine));
    if (all.length > 0 && !all.some((one) => one.isJoined)) {
      this.#ctx.log.warn("irc.no_channel_joined", {
        hint: "Nothing said in a channel is received until one can be joined.",
      });
    }
  }

  /** Whether it is one of ours and we are not in it. */
  isMissing(target: string): boolean {
    return this.#wanted.get(this.#link.fold(target))?.isJoined === false;
  }

  /** Joins a configured channel. To be called inside link.exclusive. Resolves with the server's words when it refuses. */
  async enter(target: string): Promise<string | undefined> {
    const channel = this.#wanted.get(this.#link.fold(target));
    if (!channel || channel.isJoined) return undefined;
    await this.#join([channel]);
    return channel.isJoined ? undefined : channel.refusal;
  }

  async #join(channels: Channel[]): Promise<void> {
    const names = channels.map((one) => one.name).join(",");
    const keys = channels.flatMap((one) => one.key ?? []).join(",");
    for (const one of channels) one.refusal = "the server did not answer the JOIN";
    await this.#link.exchange([`JOIN ${names} ${keys}`.trim()], (message) =>
      this.#noteRefusal(message, channels),
    );
    for (const one of channels.filter((channel) => !channel.isJoined)) {
      this.#ctx.log.warn("irc.join_failed", {
        channel: one.name,
        reason: one.refusal,
        again_in_s: one.nextDelayMs / 1000,
      });
      this.#tryLater(one);
    }
  }

  #noteRefusal({ command, params }: IrcMessage, channels: Channel[]): boolean {
    if (!/^[45]\d\d$/.test(command)) return false;
    const channel = channels.find((one) => this.#link.fold(one.name) === this.#link.fold(params[1] ?? ""));
    if (!channel) return false;
    channel.refusal = params.slice(2).join(" ");
    return true;
  }

  #tryLater(channel: Channel): void {
    if (channel.isWaiting || channel.nextDelayMs === 0) return;
    channel.isWaiting = true;
    this.#link.later(channel.nextDelayMs, () => {
      channel.isWaiting = false;
      channel.nextDelayMs = Math.min(maxDelayMs, channel.nextDelayMs * 2);
      this.#link
        .exclusive(this.#link.fold(channel.name), () => this.enter(channel.name))
        .catch((error: Error) => {
          // Lost or silent: the session ends, or the next try finds out.
          this.#ctx.log.debug("irc.rejoin_interrupted", { channel: channel.name, reason: error.message });
          this.#tryLater(channel);
        });
    });
  }

  /** Keeps isJoined true to the server's word, and goes back in. */
  #follow({ command, nick, params }: IrcMessage): boolean {
    const channel = this.#wanted.get(this.#link.fold(params[0] ?? ""));
    if (!channel) return false;
    if (command === "JOIN" && this.#link.isMe(nick)) {
      channel.isJoined = true;
      channel.nextDelayMs = this.#firstDelayMs();
    }
    const isKick = command === "KICK" && this.#link.isMe(params[1] ?? "");
    if (isKick || (command === "PART" && this.#link.isMe(nick))) {
      channel.isJoined = false;
      channel.refusal = isKick ? `kicked by ${nick}: ${params[2] ?? ""}` : "removed from the channel";
      this.#ctx.log.warn("irc.channel_left", {
        channel: channel.name,
        reason: channel.refusal,
        again_in_s: channel.nextDelayMs / 1000,
      });
      this.#tryLater(channel);
    }
    return false;
  }

  #firstDelayMs(): number {
    return this.#link.config.rejoin_s * 1000;
  }
}
