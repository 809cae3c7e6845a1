// What only Slack has, going out: messages of several requests that are cut in the middle, limits of a channel, Block Kit and markdown, people's ids, refusals by name.
import { describe, expect, test } from "vitest";
import errors from "../../connectors/slack/errors.json" with { type: "json" };
import { refusalOf } from "../../runtime/sdk/http/named-errors.ts";
import { general, startSlack } from "../helpers/servers/slackBus.ts";
import { shown } from "../helpers/servers/slackStore.ts";
import { waitFor } from "../helpers/wait.ts";

const threeParts = ["a", "b", "c"].map((letter) => letter.repeat(3900)).join("\n");
const first = (texts: string[]): string => texts.map((text) => text[0]).join("");

describe("slack, out", { timeout: 120_000 }, () => {
  test("asked to wait in the middle of a long text, it goes on with the next part", async () => {
    const { slack, bus } = await startSlack((fresh) => (fresh.postBurst = 1));
    const id = bus.send("slack", { conversation_id: general, text: threeParts });
    const receipt = await bus.waitForReceipt("slack", id, { timeoutMs: 30_000 });
    expect(first(slack.texts(general))).toBe("abc");
    expect(receipt.platform_ids).toEqual(slack.channel(general).messages.map(({ ts }) => ts));
    expect(slack.early).toBe(0);
  });

  test("a channel that is full delays what goes there, and nothing is sent twice", async () => {
    const { slack, bus } = await startSlack((fresh) => (fresh.postBurst = 2));
    const texts = ["1", "2", "3", "4"];
    const ids = texts.map((text, n) => {
      bus.drop("slack", { id: `full-${n}`, conversation_id: general, text }, `${n}.json`);
      return `full-${n}`;
    });
    for (const id of ids) await bus.waitForReceipt("slack", id, { timeoutMs: 30_000 });
    expect(slack.texts(general)).toEqual(texts);
    expect(slack.early).toBe(0);
  });

  test("killed in the middle of a long text, it sends what is missing", async () => {
    const { slack, bus } = await startSlack((fresh) => (fresh.postBurst = 2));
    const id = bus.send("slack", { conversation_id: general, text: threeParts });
    await waitFor(() => slack.texts(general).length === 2, { message: "two parts" });
    await bus.killConnector("slack");
    await bus.waitForReceipt("slack", id, { timeoutMs: 30_000 });
    expect(first(slack.texts(general))).toBe("abc");
  });

  test("killed between Slack's yes to a file and the receipt, it shares nothing twice", async () => {
    const { slack, bus } = await startSlack();
    bus.drop("slack", Buffer.from("some bytes"), "a.txt");
    slack.swallows = true;
    const given = { conversation_id: general, attachments: [{ path: "a.txt" }] };
    const id = bus.send("slack", given);
    await waitFor(() => slack.channel(general).messages.length === 1, { message: "the file" });
    process.kill(bus.connector("slack")?.pid ?? 0, "SIGKILL");
    slack.swallows = false;
    const receipt = await bus.waitForReceipt("slack", id, { timeoutMs: 30_000 });
    expect(receipt).toMatchObject({ reconciled: true, platform_id: slack.channel(general).messages[0]?.ts });
    expect(slack.channel(general).messages).toHaveLength(1);
  });

  test("an upload that Slack refuses takes nothing else down; one that fails is done again", async () => {
    const { slack, bus } = await startSlack();
    const send = (name: string): string => {
      bus.drop("slack", Buffer.from(name), name);
      return bus.send("slack", { conversation_id: general, attachments: [{ path: name }] });
    };
    slack.files.refusals.push(400);
    const dead = await bus.waitForDeadLetter("slack", send("refused.txt"));
    expect(dead.error).toContain("400 not today");
    slack.files.refusals.push(500, 503);
    const receipt = await bus.waitForReceipt("slack", send("later.txt"), { timeoutMs: 30_000 });
    expect(receipt.attempts).toBe(3);
    await waitFor(() => slack.channel(general).messages.length === 1, { message: "the one file" });
    expect(bus.logs()).not.toContain("session.lost");
  });

  test("in a thread it looks into the thread for what may have arrived", async () => {
    const { slack, bus } = await startSlack();
    const root = slack.say(general, "root");
    slack.swallows = true;
    const id = bus.send("slack", { conversation_id: general, thread_id: root.ts, text: "answer" });
    await waitFor(() => slack.texts(general).includes("answer"));
    process.kill(bus.connector("slack")?.pid ?? 0, "SIGKILL");
    slack.swallows = false;
    await bus.waitForReceipt("slack", id, { timeoutMs: 30_000 });
    expect(slack.texts(general)).toEqual(["root", "answer"]);
  });

  test("what Slack could take for markup is shown as it was written; markdown and blocks are Slack's to show", async () => {
    const { slack, bus } = await startSlack();
    const blocks = [{ type: "divider" }];
    const messages = [
      { text: "<!channel> <@U0BOB> & <https://x.org|x> *x*" },
      { text: "**bold** <!channel>", format: "markdown" },
      { text: "fallback", meta: { blocks } },
      { text: "body", subject: "subject" },
    ];
    for (const message of messages)
      await bus.waitForReceipt("slack", bus.send("slack", { conversation_id: general, ...message }));
    const posted = slack.channel(general).messages;
    expect(posted.map(shown)).toEqual([messages[0]?.text, messages[1]?.text, "fallback", "subject\nbody"]);
    expect(posted[0]?.text).toBe("&lt;!channel&gt; &lt;@U0BOB&gt; &amp; &lt;https://x.org|x&gt; *x*");
    expect(posted.map(({ mrkdwn }) => mrkdwn)).toEqual([false, undefined, undefined, false]);
    expect(posted[2]?.blocks).toEqual(blocks);
  });

  test("a person's id stands for the direct messages with them, where an answer begins no thread", async () => {
    const { slack, bus } = await startSlack();
    const id = bus.send("slack", { conversation_id: slack.ada.id, text: "only you" });
    await bus.waitForReceipt("slack", id);
    expect(slack.texts("D0ADA")).toEqual(["only you"]);
    slack.say("D0ADA", "thanks");
    const event = await bus.waitForEvent("thanks");
    expect(event.conversation).toMatchObject({ id: "D0ADA", type: "direct" });
    const answer = { conversation_id: "", ...event.reply, text: "welcome" };
    await bus.waitForReceipt("slack", bus.send("slack", answer));
    expect(slack.channel("D0ADA").messages.at(-1)?.thread_ts).toBeUndefined();
  });

  test("reacting twice is reacting once", async () => {
    const { slack, bus } = await startSlack();
    const said = slack.say(general, "good news");
    const given = { conversation_id: general, action: "react", target: { platform_id: said.ts } };
    for (const reaction of ["🎉", "tada", ":tada:"])
      await bus.waitForReceipt("slack", bus.send("slack", { ...given, reaction }));
    expect(slack.channel(general).messages[0]?.reactions).toMatchObject([{ name: "tada", count: 1 }]);
  });

  test("a deletion whose answer was lost is done; of what never was there it is refused", async () => {
    const { slack, bus } = await startSlack();
    const first = await bus.waitForReceipt(
      "slack",
      bus.send("slack", { conversation_id: general, text: "x" }),
    );
    const given = { conversation_id: general, action: "delete" };
    slack.swallows = true;
    const id = bus.send("slack", { ...given, target: { platform_id: first.platform_id } });
    await waitFor(() => slack.texts(general).length === 0, { message: "the deletion" });
    process.kill(bus.connector("slack")?.pid ?? 0, "SIGKILL");
    slack.swallows = false;
    await bus.waitForReceipt("slack", id, { timeoutMs: 30_000 });
    const never = bus.send("slack", { ...given, target: { platform_id: "1763769121.000100" } });
    const dead = await bus.waitForDeadLetter("slack", never);
    expect(dead).toMatchObject({
      error: "chat.delete: message_not_found",
      hint: expect.stringContaining("target.platform_id") as string,
    });
  });

  test("names of Slack's own trouble are no refusals", async () => {
    const { slack, bus } = await startSlack();
    const refuse = (error: string): unknown => slack.refusals.push({ method: "chat.postMessage", error });
    ["org_login_required", "fatal_error"].forEach(refuse);
    const send = (text: string): string => bus.send("slack", { conversation_id: general, text });
    await bus.waitForReceipt("slack", send("trouble"), { timeoutMs: 30_000 });
    expect(bus.logs()).toMatch(/"message\.deferred".*"fate":"uncertain".*fatal_error/);
    refuse("something_new");
    const dead = await bus.waitForDeadLetter("slack", send("new"));
    expect(dead).toMatchObject({
      error: "chat.postMessage: something_new",
      hint: expect.stringContaining("reference/methods") as string,
    });
    expect(slack.texts(general)).toEqual(["trouble"]);
    for (const name of ["ratelimited", "rate_limited"])
      // methods differ in what they call it
      expect(refusalOf(errors, { name, words: name, changes: true })?.fate).toBe("rate_limited");
  });

  test("what is refused says which name Slack has for it, and what to do", async () => {
    const { slack, bus } = await startSlack();
    const { ts } = slack.say(general, "mine");
    const edit = { action: "edit", target: { platform_id: ts }, text: "yours" };
    const refusals: Array<[Record<string, unknown>, RegExp, RegExp]> = [
      [{ conversation_id: "C0NOWHERE", text: "x" }, /channel_not_found/, /conversation_id/],
      [edit, /cant_update_message/, /its own messages/],
      [{ ...edit, action: "react", reaction: "🦤" }, /invalid_name/, /tada/],
      [{ ...edit, text: threeParts }, /fit into one message/, /./],
      [
        { text: "x", meta: { blocks: Array<object>(51).fill({ type: "divider" }) } },
        /invalid_blocks/,
        /Builder/,
      ],
      [{ text: "<b>x</b>", format: "html" }, /no HTML/, /./],
      [{ text: " " }, /no text/, /./],
    ];
    for (const [message, words, hint] of refusals) {
      const id = bus.send("slack", { conversation_id: general, ...message });
      const dead = await bus.waitForDeadLetter("slack", id);
      expect(dead.error).toMatch(words);
      expect(dead.hint).toMatch(hint);
    }
    slack.scopes.delete("chat:write");
    const id = bus.send("slack", { conversation_id: general, text: "x" });
    const dead = await bus.waitForDeadLetter("slack", id);
    expect(dead.error).toContain("missing_scope (chat:write)");
    expect(dead.hint).toContain("install the app again");
    expect(slack.texts(general)).toEqual(["mine"]);
  });
});
