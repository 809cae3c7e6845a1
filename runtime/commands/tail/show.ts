// An event as one line: `12:03:01 irc-main #dev ada: hello`.
import type { InboundAttachment, InboundEvent } from "../../../schema/types.ts";
import type { painter } from "../../config/report.ts";
import { clock, oneLine } from "../text.ts";

/** Without a line end. */
export function line(event: InboundEvent, paint: ReturnType<typeof painter>, now: Date): string {
  const { connector, conversation, sender, kind, content = {}, target } = event;
  const who = sender?.display_name ?? sender?.username ?? sender?.id;
  const where = conversation?.name ?? conversation?.id;
  const about = [
    ...(kind === "message"
      ? []
      : [`[${[kind, content.reaction, target?.platform_id].filter(Boolean).join(" ")}]`]),
    ...(content.subject === undefined ? [] : [`[${content.subject}]`]),
    ...(content.text === undefined ? [] : [content.text]),
    ...(content.attachments ?? []).map(attachment),
  ];
  const head = [
    paint("dim", clock(event.received_at, now)),
    paint("cyan", oneLine(connector.instance)),
    ...(where === undefined ? [] : [oneLine(where)]),
  ];
  const said = oneLine(about.join(" "));
  return `${head.join(" ")} ${who === undefined ? said : `${paint("bold", `${oneLine(who)}:`)} ${said}`}`;
}

const attachment = ({ name, size }: InboundAttachment): string =>
  `[file ${name}${size === undefined ? "" : `, ${size} bytes`}]`;
