import { expect, test } from "vitest";
import { chatUpdate, movedBy } from "../../../runtime/sdk/chat-update.ts";

const ada = { id: 5, name: "Ada", username: "ada" };
const bob = { id: 6, name: "", username: "bob", isBot: true };
const said = { kind: "message", update: 9, name: "message", message: 3, me: 7, by: ada, raw: {} } as const;
const chat = { id: -1, type: "group", name: "Dev" } as const;

test("a message, and its edit with the same message as target and another key", () => {
  const [message] = chatUpdate({ ...said, chat, seconds: 1_790_000_000, thread: 17, answers: 2, text: "hi" });
  expect(message).toMatchObject({
    key: ["-1", "3", "9"],
    platform_id: "3",
    occurred_at: "2026-09-21T14:13:20.000Z",
    conversation: { id: "-1", type: "group", name: "Dev" },
    thread_id: "17",
    reply_to: "2",
    sender: { id: "5", username: "ada", display_name: "Ada", is_self: false },
    mentions_me: false,
    content: { text: "hi", format: "plain" },
  });
  expect(message?.target).toBeUndefined();
  const [edit] = chatUpdate({ ...said, kind: "edit", update: 10, chat });
  expect(edit).toMatchObject({ kind: "edit", key: ["-1", "3", "10"], target: { platform_id: "3" } });
});

test("our own account is marked; what has no chat or message has a key all the same", () => {
  const [event] = chatUpdate({ kind: "event", update: 11, name: "poll", me: 5, by: ada, raw: {} });
  expect(event).toMatchObject({ key: ["", "poll", "11"], sender: { is_self: true } });
  expect(event?.conversation).toBeUndefined();
});

test("who comes is an event each; who goes went by himself or was removed", () => {
  const texts = (update: object): unknown[] =>
    chatUpdate({ ...said, chat, ...update }).map(({ kind, key, sender, content }) => [
      kind,
      key?.at(-1),
      sender?.id,
      content?.text,
    ]);
  expect(texts({ came: [ada, bob] })).toEqual([
    ["membership", "5", "5", "Ada joined"],
    ["membership", "6", "6", "bob joined"],
  ]);
  expect(texts({ gone: ada })).toEqual([["membership", "5", "5", "Ada left"]]);
  expect(texts({ gone: bob })).toEqual([["membership", "6", "6", "bob was removed by Ada"]]);
});

test("who was there and is not is gone, the other way round came; a new rank, or a ban from afar, moves nobody", () => {
  const as = (status: string, more: { is_member?: boolean } = {}) => ({ user: "ada", status, ...more });
  const there = [as("creator"), as("administrator"), as("member"), as("restricted", { is_member: true })];
  const away = [as("left"), as("kicked"), as("restricted", { is_member: false })];
  for (const one of there) {
    for (const other of there) expect(movedBy(one, other)).toEqual({});
    for (const other of away) expect(movedBy(one, other)).toEqual({ gone: "ada" });
    for (const other of away) expect(movedBy(other, one)).toEqual({ came: "ada" });
  }
  for (const one of away) for (const other of away) expect(movedBy(one, other)).toEqual({});
  expect(movedBy()).toEqual({});
});
