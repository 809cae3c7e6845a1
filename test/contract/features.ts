// The contract's cases about what a manifest declares in `features`: everything that is declared is shown, and what is not is refused or does not come.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Features, InboundEvent } from "../../schema/types.ts";
import { projectRoot } from "../helpers/command.ts";
import { waitFor } from "../helpers/wait.ts";
import { type Case, heardText, newText, sharedCase } from "./case.ts";
import type { Action, Kind, Platform } from "./platform.ts";

const actions: readonly Action[] = ["edit", "delete", "react", "typing"];
/** Kinds whose event is about a message. */
const aboutMessages: readonly Kind[] = ["edit", "delete", "reaction"];
const goesIn = (side = "none"): boolean => side === "in" || side === "both";
const goesOut = (side = "none"): boolean => side === "out" || side === "both";

/** What the manifest of a built-in type declares; undefined for a type that lies elsewhere. */
export function featuresOf(type: string): Features | undefined {
  try {
    const text = readFileSync(join(projectRoot, "connectors", type, "manifest.json"), "utf8");
    return (JSON.parse(text) as { features?: Features }).features;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** Declares them. A connector without the declaration has none of these cases. */
export function featureCases(platform: Platform): void {
  const features = featuresOf(platform.type);
  if (features === undefined) return;
  const { happens = {}, did = {} } = platform;

  describe("what it declares", () => {
    test("is what the test can show", () => {
      const shown = {
        in: features.in.filter((kind) => kind === "message" || happens[kind] !== undefined),
        out: features.out.filter((action) => action === "message" || did[action] !== undefined),
        others: [...Object.keys(happens), ...Object.keys(did)].filter(
          (name) => !features.in.includes(name as Kind) && !features.out.includes(name as Action),
        ),
        attachments: [platform.sayFile !== undefined, platform.heardFiles !== undefined],
        replies: [platform.sayReply !== undefined, platform.heardReplyTo !== undefined],
        threads: [platform.sayInThread !== undefined, platform.heardThread !== undefined],
        catchesUp: platform.keepsWhileAway ?? false,
        oversize: platform.oversize?.becomes,
      };
      const elsewhere = platform.shownElsewhere ?? {};
      for (const file of Object.values(elsewhere))
        expect(existsSync(join(projectRoot, file)), file).toBe(true);
      const both = (side: string | undefined): boolean[] => [goesIn(side), goesOut(side)];
      expect(shown).toEqual({
        in: features.in,
        out: features.out,
        others: [],
        attachments: elsewhere.attachments === undefined ? both(features.attachments) : [false, false],
        replies: elsewhere.replies === undefined ? both(features.replies) : [false, false],
        threads: elsewhere.threads === undefined ? both(features.threads) : [false, false],
        catchesUp: features.catches_up ?? false,
        oversize: features.limits?.above,
      });
    });

    if (Object.keys(happens).length + features.out.length > 0)
      describe("in one session,", () => shownInOne(platform, features));
  });
}

function shownInOne(platform: Platform, features: Features): void {
  const { happens = {}, did = {}, conversation } = platform;
  const shared = sharedCase(platform);

  for (const [kind, happen] of Object.entries(happens) as Array<[Kind, NonNullable<(typeof happens)[Kind]>]>)
    test(`${kind}: comes in`, async () => {
      const { bus } = shared();
      const text = newText("something");
      const said = await platform.say?.({ conversation, text });
      const first = said === undefined ? undefined : await bus.waitForEvent(text);
      const wanted = await happen(said ?? { conversation, text });
      const event = await bus.waitForEvent((one) => one.kind === kind && matches(one, wanted), {
        timeoutMs: 30_000,
      });
      if (aboutMessages.includes(kind)) expect(event.target?.platform_id).toBe(first?.platform_id);
      expect(features.in).toEqual(expect.arrayContaining(bus.events().map((one) => one.kind)));
    });

  if (features.out.length > 0)
    test(`${actions.map((one) => `${one} ${features.out.includes(one) ? "goes out" : "is refused"}`).join(", ")}`, async () => {
      const { bus, name } = shared();
      for (const action of actions) {
        const text = newText(`said by us, for ${action}`);
        const first = bus.send(name, { conversation_id: conversation, text });
        const { platform_id: platformId = "none" } = await bus.waitForReceipt(name, first, {
          timeoutMs: 30_000,
        });
        const id = bus.send(name, {
          conversation_id: conversation,
          action,
          target: { platform_id: platformId },
          ...(action === "edit" ? { text: `${text}, corrected` } : {}),
          ...(action === "react" ? { reaction: "👍" } : {}),
        });
        const saw = did[action];
        if (!features.out.includes(action) || saw === undefined) {
          expect((await bus.waitForDeadLetter(name, id)).code, action).toBe("not_supported");
          continue;
        }
        await bus.waitForReceipt(name, id, { timeoutMs: 30_000 });
        const sent = { conversation, text, platformId };
        await waitFor(() => saw(sent), { timeoutMs: 30_000, message: `users to see the ${action}` });
      }
    });

  replyCases(platform, shared);
}

function matches(event: InboundEvent, wanted: Record<string, unknown>): boolean {
  try {
    expect(event).toMatchObject(wanted);
    return true;
  } catch {
    return false; // another one of its kind
  }
}

function replyCases(platform: Platform, shared: () => Case): void {
  const { conversation, say, sayReply, heardReplyTo, sayInThread, heardThread } = platform;

  if (say && sayReply)
    test("an answer to a message names it", async () => {
      const { bus } = shared();
      const [question, answer] = [newText("question"), newText("answer")];
      const said = await say({ conversation, text: question });
      const first = await bus.waitForEvent(question);
      await sayReply(said, answer);
      expect((await bus.waitForEvent(answer)).reply_to).toBe(first.platform_id);
    });

  if (say && heardReplyTo)
    test("what is dropped with an event's `reply` answers that message", async () => {
      const { bus, name } = shared();
      const [question, answer] = [newText("question"), newText("answer")];
      await say({ conversation, text: question });
      const event = await bus.waitForEvent(question);
      const id = bus.send(name, {
        ...event.reply,
        conversation_id: event.reply?.conversation_id ?? "",
        text: answer,
      });
      await bus.waitForReceipt(name, id, { timeoutMs: 30_000 });
      await heardText(platform, answer, conversation);
      expect(await heardReplyTo(answer, conversation)).toBe(event.platform_id);
    });

  if (sayInThread)
    test("threads: what is said in one says so, and the answer goes there", async () => {
      const { bus, name } = shared();
      const [text, answer] = [newText("in a thread"), newText("answer")];
      const { conversation: place, threadId } = await sayInThread(text);
      const event = await bus.waitForEvent(text);
      expect(event.thread_id).toBe(threadId);
      if (!heardThread) return;
      const id = bus.send(name, {
        ...event.reply,
        conversation_id: event.reply?.conversation_id ?? "",
        text: answer,
      });
      await bus.waitForReceipt(name, id, { timeoutMs: 30_000 });
      await heardText(platform, answer, place);
      expect(await heardThread(answer, place)).toBe(threadId);
    });
}
