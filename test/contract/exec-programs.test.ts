// The examples and the misbehaving programs on one real bus, side by side: what one of them does is nobody else's trouble.
import { join } from "node:path";
import { expect, test } from "vitest";
import { startBus } from "../helpers/bus.ts";
import { waitFor } from "../helpers/wait.ts";

const programs = join(import.meta.dirname, "../helpers/programs");
const examples = join(import.meta.dirname, "../../connectors/exec/examples");

test(
  "programs that crash, flood, never read and print garbage do not delay three that work",
  { timeout: 120_000 },
  async () => {
    const quick = { retry: { attempts: 2, base: "200ms", max: "500ms" }, send_timeout: "1s" };
    const bus = await startBus({
      connectors: [
        { name: "python", type: "exec", command: ["python3", join(examples, "echo.py")], ready: true },
        { name: "bash", type: "exec", command: ["bash", join(examples, "echo.sh")], ready: true },
        { name: "perl", type: "exec", command: ["perl", join(examples, "echo.pl")], ready: true },
        { name: "crashes", type: "exec", command: ["perl", join(programs, "crashes.pl")], runtime: quick },
        { name: "floods", type: "exec", command: ["python3", join(programs, "floods_stderr.py"), "200"] },
        { name: "deaf", type: "exec", command: ["bash", join(programs, "never_reads.sh")], runtime: quick },
        { name: "garbage", type: "exec", command: ["python3", join(programs, "garbage.py")], runtime: quick },
        { name: "missing", type: "exec", command: ["no-such-program"] },
      ],
      until: {
        python: "live",
        bash: "live",
        perl: "live",
        deaf: "live",
        garbage: "live",
        floods: "live",
        missing: "stopped",
      },
      timeoutMs: 60_000,
    });
    const broken = ["crashes", "deaf", "garbage"].map(
      (name) => [name, bus.send(name, { conversation_id: "c", text: "x" })] as const,
    );

    for (const name of ["python", "bash", "perl"]) {
      const texts = Array.from({ length: 15 }, (_, n) => `${name} ${n} "quoted" \\ ü 🌱`);
      const ids = texts.map((text, n) => {
        const id = `${name}-${n}`;
        bus.drop(name, { id, conversation_id: "c", text }, `${String(n).padStart(3, "0")}.json`);
        return id;
      });
      for (const id of ids) expect((await bus.waitForReceipt(name, id)).platform_id).toBe(`echo-${id}`);
      await bus.waitForEvent(texts.at(-1)!);
      const seen = bus
        .events((event) => event.connector.instance === name)
        .map((event) => event.content?.text);
      expect(seen).toEqual(texts);
    }
    expect(
      bus.receipt("floods", bus.send("floods", { conversation_id: "c", text: "x" })) ?? true,
    ).toBeTruthy();

    for (const [name, id] of broken) {
      const letter = await bus.waitForDeadLetter(name, id, { timeoutMs: 60_000 });
      expect(letter).toMatchObject({ code: "attempts_exhausted", attempts: 2 });
      if (name === "crashes")
        expect(letter.error).toContain("exited with code 3; its last words: cannot divide by zero");
    }
    await bus.waitForEvent("flood over", { timeoutMs: 60_000 });
    expect(bus.events("last")).toHaveLength(1);
    expect(bus.logs()).toContain('"event":"line.invalid"');
    expect(bus.connector("missing")).toMatchObject({ user_action: expect.stringContaining("PATH") });
    // SIGTERM and closed pipes mean nothing to one of them: the bus ends in time all the same, and leaves no process.
    await bus.stop();
  },
);

test("events of every kind keep the order in which the program wrote them", async () => {
  const lines = Array.from({ length: 200 }, (_, n) =>
    n % 3 === 0
      ? `{"text":"${n}"}`
      : n % 3 === 1
        ? `{"kind":"typing","raw":${n}}`
        : `{"content":{"attachments":[{"name":"a","base64":"aGk="}]},"raw":${n}}`,
  );
  const command = ["bash", "-c", 'printf "%s\\n" "$@"; read -r _', "-", ...lines];
  const bus = await startBus({ connectors: [{ name: "all", type: "exec", command }] });
  await waitFor(() => bus.list("inbox").length === 200);
  expect(bus.events().map((event) => Number(event.raw ?? event.content?.text))).toEqual(
    lines.map((_line, n) => n),
  );
});
