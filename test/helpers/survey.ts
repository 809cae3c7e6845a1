// What lies in a spool, read once: every message by its id, every event, every attachment; and what of it is torn. Through the interface under runtime/spool, so that it
// reads a disk as well as a model of one.
import { join } from "node:path";
import { sha256 } from "../../runtime/spool/hash.ts";
import { parseClaimName, parseInboxName, parseRetryName } from "../../runtime/spool/names.ts";
import type { InboundEvent } from "../../schema/types.ts";
import * as validators from "../../schema/validators/messages.js";
import { bytesAt, namesAt } from "./seam.ts";

export const places = ["outbox", "retry", "sending", "sent", "failed"] as const;
export type Place = (typeof places)[number];

/** A file about one message. `value` is undefined for a drop that does not parse. */
export interface Found {
  place: Place;
  file: string;
  value: Record<string, unknown> | undefined;
}

export interface Survey {
  /** In the order of the state table. */
  byId: Map<string, Found[]>;
  /** Drops that are no messages (yet), by file name. */
  unreadable: Map<string, Buffer>;
  /** failed/*.entry: what was refused, by id. */
  entries: Map<string, Buffer>;
  /** Claims that do not parse, by id: a drop that its producer had not synced, torn before it was accepted. Anything else is a problem. */
  torn: Map<string, Buffer>;
  /** The events in the order of their file names. */
  inbox: InboundEvent[];
  /** Names in media/. */
  media: Set<string>;
  /** Torn files, names that the protocol does not know, bytes that are not what their name says. */
  problems: string[];
}

/** A claim is the drop itself, or the record that it was. */
const isClaim = (data: unknown): boolean =>
  validators.outgoingMessage(data) || validators.retry(data) || validators.deadLetter(data);

const formats: Record<Exclude<Place, "outbox">, (data: unknown) => boolean> = {
  retry: validators.retry,
  sending: isClaim,
  sent: validators.receipt,
  failed: validators.deadLetter,
};

const idIn: Record<Exclude<Place, "outbox">, (file: string) => string | undefined> = {
  retry: (file) => parseRetryName(file)?.id,
  sending: (file) => parseClaimName(file)?.id,
  sent: (file) => /^(.+)\.json$/.exec(file)?.[1],
  failed: (file) => /^(.+)\.json$/.exec(file)?.[1],
};

/** What final files hold, by path: they never change, so that a spool of thousands of them can be looked at often. */
export type Known = Map<string, Record<string, unknown>>;

/** The same by their bytes, for a model of the disk, which has the same buffers in many spools. */
const read = new WeakMap<Buffer, Record<string, unknown>>();

/** Reads the spool of one connector. `dropIdOf`: the id of a drop that declares none. */
export function surveyOf(
  spool: string,
  name: string,
  known: Known | undefined,
  dropIdOf: (file: string) => string | undefined = () => undefined,
): Survey {
  const survey: Survey = {
    byId: new Map(),
    unreadable: new Map(),
    entries: new Map(),
    torn: new Map(),
    inbox: [],
    media: new Set(),
    problems: [],
  };
  for (const place of places) {
    const folder = join(spool, place, name);
    for (const file of namesAt(folder)) {
      if (place === "outbox") lookAtDrop(survey, folder, file, dropIdOf);
      else if (place === "failed" && file.endsWith(".entry"))
        survey.entries.set(file.slice(0, -".entry".length), bytesAt(join(folder, file)));
      else lookAtRecord(survey, place, folder, file, known);
    }
  }
  lookAtInbox(survey, join(spool, "inbox"), known);
  for (const file of namesAt(join(spool, "media"))) {
    survey.media.add(file);
    if (sha256(bytesAt(join(spool, "media", file))) !== file)
      survey.problems.push(`media/${file} has other bytes than its name says`);
  }
  return survey;
}

function lookAtDrop(
  survey: Survey,
  folder: string,
  file: string,
  dropIdOf: (file: string) => string | undefined,
): void {
  if (!file.endsWith(".json")) return; // an attachment beside its drop
  const bytes = bytesAt(join(folder, file));
  const value = parsed(bytes);
  const id = typeof value?.id === "string" ? value.id : dropIdOf(file);
  if (value === undefined || id === undefined) survey.unreadable.set(file, bytes);
  else note(survey, id, { place: "outbox", file, value });
}

function lookAtRecord(
  survey: Survey,
  place: Exclude<Place, "outbox">,
  folder: string,
  file: string,
  known: Known | undefined,
): void {
  const id = idIn[place](file);
  if (id === undefined)
    return void survey.problems.push(`${place}/${file} has a name that the protocol does not know`);
  const value = whole(survey, `${place}/${file}`, join(folder, file), formats[place], known);
  if (value !== undefined || survey.torn.has(id)) note(survey, id, { place, file, value });
}

function lookAtInbox(survey: Survey, folder: string, known: Known | undefined): void {
  for (const file of namesAt(folder)) {
    const id = parseInboxName(file)?.id;
    const event = whole(survey, `inbox/${file}`, join(folder, file), validators.inbound, known);
    if (event === undefined) continue;
    if (id !== event.id) survey.problems.push(`inbox/${file} holds the event ${String(event.id)}`);
    survey.inbox.push(event as unknown as InboundEvent);
  }
}

/** The value in a file of ours, or undefined and a problem. */
function whole(
  survey: Survey,
  name: string,
  path: string,
  isValid: (data: unknown) => boolean,
  known: Known | undefined,
): Record<string, unknown> | undefined {
  const isClaimFile = name.startsWith("sending/");
  const before = known?.get(name);
  if (before !== undefined) return before;
  const bytes = bytesAt(path);
  const value = read.get(bytes) ?? parsed(bytes);
  if (value === undefined) {
    const id = isClaimFile ? parseClaimName(name.slice("sending/".length))?.id : undefined;
    if (id !== undefined) survey.torn.set(id, bytes);
    else survey.problems.push(`${name} is torn: ${JSON.stringify(bytes.toString("latin1", 0, 200))}`);
    return undefined;
  }
  if (!read.has(bytes) && !isValid(value)) {
    survey.problems.push(`${name} is not what the schema allows: ${JSON.stringify(value).slice(0, 500)}`);
    return undefined;
  }
  read.set(bytes, value);
  if (!isClaimFile) known?.set(name, value);
  return value;
}

function parsed(bytes: Buffer): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(bytes.toString("utf8"));
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined; // the caller says what that means
  }
}

function note(survey: Survey, id: string, found: Found): void {
  const all = survey.byId.get(id);
  if (all === undefined) survey.byId.set(id, [found]);
  else all.push(found);
}
