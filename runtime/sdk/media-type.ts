// spoolway/sdk/media-type: the media types of common file names; the rest is left open, because a wrong type is worse than none.
import { extname } from "node:path";

const types: Readonly<Record<string, string>> = {
  txt: "text/plain",
  log: "text/plain",
  md: "text/markdown",
  csv: "text/csv",
  html: "text/html",
  json: "application/json",
  xml: "application/xml",
  pdf: "application/pdf",
  zip: "application/zip",
  gz: "application/gzip",
  ics: "text/calendar",
  vcf: "text/vcard",
  eml: "message/rfc822",
  png: "image/png",
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  gif: "image/gif",
  webp: "image/webp",
  svg: "image/svg+xml",
  mp3: "audio/mpeg",
  ogg: "audio/ogg",
  wav: "audio/wav",
  mp4: "video/mp4",
  webm: "video/webm",
};

/** By the extension; undefined when it is not known. */
export const mediaType = (name: string): string | undefined => types[extname(name).slice(1).toLowerCase()];

export type MediaKind = "photo" | "animation" | "video" | "audio" | "voice" | "document";
const kinds: ReadonlyArray<[RegExp, MediaKind]> = [
  [/^image\/(?:jpeg|png|webp)$/, "photo"],
  [/^image\/gif$/, "animation"],
  [/^video\/mp4$/, "video"],
  [/^audio\/(?:mpeg|mp4|x-m4a)$/, "audio"],
  [/^audio\/ogg\b/, "voice"],
];

/** As what chats show a file of this media type: those that all of them can show; the rest is a document. */
export const mediaKind = (type = ""): MediaKind =>
  kinds.find(([pattern]) => pattern.test(type))?.[1] ?? "document";
