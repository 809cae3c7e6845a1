// spoolway/sdk/http/upload: an attachment as the body of a request, streamed and with its length, which many platforms want to know beforehand.
import { basename } from "node:path";
import { type Context, type Outgoing, SpoolwayError } from "../../sdk.ts";

export type Attachment = NonNullable<Outgoing["attachments"]>[number];

/** What users see: the name that was given, else the file's. */
export function fileName({ name, path }: Attachment): string {
  return name ?? basename(path);
}

/** For fetch. The stream can be read once: another try needs another body. */
export function fileBody(
  { openAttachment }: Pick<Context, "openAttachment">,
  attachment: Attachment,
): RequestInit {
  const { size, media_type: mediaType = "application/octet-stream" } = attachment;
  if (size === undefined) throw new SpoolwayError("attachment_missing", `${attachment.path} has no size`);
  return {
    body: openAttachment(attachment),
    headers: { "content-type": mediaType, "content-length": String(size) },
    duplex: "half",
  };
}
