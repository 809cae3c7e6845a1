// Deliveries: in order, bounded, kept until they can be written; answers: each message ends with the fate that neither loses nor doubles it.
import { PassThrough, Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { beforeEach, describe, expect, it } from "vitest";
import { SpoolwayError } from "../../../runtime/errors.ts";
import { Answers } from "../../../runtime/sdk/program/answers.ts";
import { Deliveries } from "../../../runtime/sdk/deliveries.ts";
import { LineWriter } from "../../../runtime/sdk/line-writer.ts";
import { TestContext } from "../../helpers/context.ts";
import { waitFor } from "../../helpers/wait.ts";

describe("deliveries", () => {
  let ctx: TestContext<object>;
  let deliveries: Deliveries;

  beforeEach(() => {
    ctx = new TestContext("sdk", "/", {});
    deliveries = new Deliveries(ctx);
  });

  it("keep their order, also around one that is streamed and one that has to be tried again", async () => {
    let failures = 1;
    ctx.beforeDeliver = (draft) => {
      if (draft.content?.text === "30" && failures-- > 0)
        throw new SpoolwayError("spool_write_failed", "full");
    };
    for (let n = 0; n < 40; n += 1) {
      const draft = { content: { text: String(n) } };
      const streamed = () => ({
        content: { ...draft.content, attachments: [{ name: "a", data: Readable.from([Buffer.from("x")]) }] },
      });
      await deliveries.add({ draft: n === 20 ? streamed : draft, bytes: 10 });
    }
    await deliveries.idle();
    const order = ctx.texts().filter((text) => text !== "30");
    expect(order).toEqual(Array.from({ length: 40 }, (_, n) => String(n)).filter((text) => text !== "30"));
    expect(deliveries.delivered).toBe(40);
    expect(ctx.logged("event.delayed")).toHaveLength(1);
  });

  it.each([
    ["in number", 1, 64],
    ["in bytes", 1 << 20, 4],
  ])("are bounded %s: whoever adds waits", async (_what, bytes, most) => {
    let go: () => void = () => undefined;
    ctx.beforeDeliver = () => new Promise<void>((resolve) => (go = resolve));
    await deliveries.add({ draft: {}, bytes: 0 });
    await waitFor(() => ctx.delivered.length === 0 && String(go) !== "() => undefined");
    let added = 0;
    const adding = (async () => {
      for (; added < 200; added += 1) await deliveries.add({ draft: {}, bytes });
    })();
    await delay(50);
    expect(added).toBe(most - 1);
    ctx.beforeDeliver = () => undefined;
    go();
    await adding;
    await deliveries.idle();
    expect(ctx.delivered).toHaveLength(201);
  });

  it("tell of each whether it is durable or refused", async () => {
    ctx.beforeDeliver = (draft) => {
      if (draft.content?.text === "bad") throw new SpoolwayError("invalid_event", "no");
    };
    const settled: Array<string | undefined> = [];
    for (const text of ["good", "bad"])
      await deliveries.add({
        draft: { content: { text } },
        bytes: 1,
        settled: (error) => settled.push(error?.code),
      });
    await deliveries.idle();
    expect(settled).toEqual([undefined, "invalid_event"]);
  });

  it("that cannot be written when the session ends are named in the log", async () => {
    ctx.beforeDeliver = () => {
      throw new SpoolwayError("spool_write_failed", "full");
    };
    await deliveries.add({ draft: {}, bytes: 1, fields: { ack: 7 } });
    await waitFor(() => ctx.logged("event.delayed").length === 1);
    ctx.abort();
    await deliveries.idle();
    expect(ctx.logged("event.lost")[0]?.fields).toMatchObject({ ack: 7, code: "spool_write_failed" });
  });
});

describe("answers", () => {
  let pipe: PassThrough;
  let answers: Answers;
  const fateOf = (sending: Promise<unknown>) => sending.catch((error: SpoolwayError) => error.fate);
  const never = () => new AbortController().signal;

  beforeEach(() => {
    pipe = new PassThrough({ highWaterMark: 10 });
    answers = new Answers(new LineWriter(pipe), "the bridge", "its socket");
  });

  it("go to whoever asked, once", async () => {
    pipe.resume();
    const [one, two] = [answers.ask("1", { id: "1" }, never()), answers.ask("2", { id: "2" }, never())];
    expect(answers.settle("2", new SpoolwayError("rejected", "no"))).toBe(true);
    expect(answers.settle("1", { platform_id: "p" })).toBe(true);
    expect(answers.settle("1", {})).toBe(false);
    expect([await one, await fateOf(two)]).toEqual([{ platform_id: "p" }, "reject"]);
  });

  it("that do not come in time are uncertain where the line was given, a retry where it was not", async () => {
    const given = answers.ask("1", "a line that fills the pipe", AbortSignal.timeout(80));
    const stuck = answers.ask("2", "behind it", AbortSignal.timeout(40));
    expect(await fateOf(stuck)).toBe("retry");
    expect(await fateOf(given)).toBe("uncertain");
  });

  it("of somebody who is gone are uncertain or a reconnect", async () => {
    pipe.resume();
    const given = answers.ask("1", "x", never());
    await delay(20);
    answers.end("the bridge broke");
    expect(await fateOf(given)).toBe("uncertain");
    expect(await fateOf(answers.ask("2", "x", never()))).toBe("reconnect");
  });

  it("are not waited for where the line could never be written", async () => {
    pipe.destroy(new Error("EPIPE"));
    await delay(5);
    await expect(answers.ask("1", "x", never())).rejects.toThrow("the bridge has closed its socket");
  });
});
