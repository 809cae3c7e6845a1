// Slack's markup as people see it, and text that stays what it is; the names of emoji.
import { expect, test } from "vitest";
import { emojiName, emojiOf } from "../../../../runtime/sdk/text/emoji-names.ts";
import {
  mrkdwnOf,
  mrkdwnSize,
  mrkdwnToText,
  readMrkdwn,
  textToMrkdwn,
} from "../../../../runtime/sdk/text/mrkdwn.ts";

const names = new Map([["U1", "ada"]]);

test.each([
  ["a &lt;b&gt; &amp;amp; c", "a <b> &amp; c"],
  ["<@U1> and <@U2> and <@U3|bob>", "@ada and @U2 and @bob"],
  ["<#C1|general> <#C2>", "#general #C2"],
  ["<!here> <!subteam^S1|@team> <!subteam^S1> <!date^1392734382^{date}|Feb 18>", "@here @team @S1 Feb 18"],
  ["<https://x.org/a?b=1&amp;c=2>", "https://x.org/a?b=1&c=2"],
  ["<https://x.org|the site>", "the site (https://x.org)"],
  ["<https://x.org|x.org> <mailto:a@x.org|a@x.org> <tel:+155|+155>", "x.org a@x.org +155"],
  ["5 < 6 > 3, <> and <|> stay", "5 < 6 > 3, <> and <|> stay"],
  ["*bold* _it_ `code` :unknown:", "*bold* _it_ `code` :unknown:"],
])("%s reads %s", (mrkdwn, text) => {
  expect(mrkdwnToText(mrkdwn, (id) => names.get(id))).toBe(text);
});

test("of a message without text it is what is attached to it", () => {
  const attachments = [{ pretext: "a", title: "b", text: "c", fallback: "no" }, { fallback: "d" }, null, {}];
  expect(mrkdwnOf({ text: "", attachments })).toBe("a\nb\nc\nd");
  expect(mrkdwnOf({ text: "see <https://x.org>", attachments })).toBe("see <https://x.org>");
  expect(mrkdwnOf({ text: null })).toBe("");
});

test("emoji are the characters that the blocks say they are", () => {
  const elements = [
    { type: "emoji", name: "wave", unicode: "1f44b" },
    { type: "emoji", name: "wave", unicode: "1f44b-1f3fd", skin_tone: 4 },
    { type: "emoji", name: "shipit" },
    ...["", "no", "1f44b-"].map((unicode) => ({ type: "emoji", name: "shipit", unicode })),
  ];
  const blocks = [{ type: "rich_text", elements: [{ type: "rich_text_section", elements }] }];
  expect(mrkdwnToText(":wave: :wave::skin-tone-4: :shipit: 10:30:45", undefined, blocks)).toBe(
    "👋 👋🏽 :shipit: 10:30:45",
  );
});

test("whom a text names, and their names", async () => {
  const nameOf = async (id: string): Promise<string | undefined> => names.get(id);
  const read = await readMrkdwn("<@U1> asks <@U2>", [], nameOf);
  expect(read).toEqual({ text: "@ada asks @U2", users: ["U1", "U2"] });
});

test("any text survives there and back, and says nothing that it does not say", () => {
  for (const text of ["<!channel>", "&lt;", "a & b <@U1>", "<https://x|y>", "👍🏽 שלום"]) {
    expect(mrkdwnToText(textToMrkdwn(text))).toBe(text);
    expect(textToMrkdwn(text)).not.toMatch(/[<>]/);
  }
  expect(mrkdwnSize("<&>")).toBe("&lt;&amp;&gt;".length);
});

test("emoji have a name, names are names, and all else is none", () => {
  expect(["👍", "❤", "❤️", "tada", ":tada:", "wave::skin-tone-3"].map(emojiName)).toEqual([
    ...["+1", "heart", "heart", "tada", "tada", "wave::skin-tone-3"],
  ]);
  expect(["🦤", "not a name", ""].map(emojiName)).toEqual([undefined, undefined, undefined]);
  expect(["+1", "thumbsup", "our_logo"].map(emojiOf)).toEqual(["👍", "👍", "our_logo"]);
});
