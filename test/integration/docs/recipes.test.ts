// docs/recipes.md: the programs as they are, with the entries of the page, on real servers.
import { mkdirSync, readdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { projectRoot } from "../../helpers/bus.ts";
import { defaultBus, post, Program } from "../../helpers/reader.ts";

const recipe = (file: string): string => join(projectRoot, "docs/recipes", file);

describe("replay.sh", () => {
  test("gives a program a day's events in order, those that were put away as well, and takes nothing", async () => {
    const { bus, port } = await defaultBus();
    for (const text of ["one", "zwei “ü”", "three"]) await post(port, { text });
    const [first = "", second = ""] = bus.list("inbox");
    mkdirSync(join(bus.home, "done"));
    renameSync(join(bus.spool, "inbox", second), join(bus.home, "done", second));
    const before = [bus.list("inbox"), readdirSync(join(bus.home, "done"))];
    const today = first.slice(0, 8);
    const replay = new Program(bus, recipe("replay.sh"), ["-d", today, "jq", "-r", ".content.text"]);
    expect({ code: await replay.code(), out: replay.out }).toEqual({
      code: 0,
      out: "one\nzwei “ü”\nthree\n",
    });
    expect([bus.list("inbox"), readdirSync(join(bus.home, "done"))]).toEqual(before);
  });

  test("without a day it is yesterday", async () => {
    const { bus, port } = await defaultBus();
    for (const text of ["now", "then"]) await post(port, { text });
    const [, then = ""] = bus.list("inbox");
    const yesterday = new Date(Date.now() - 86_400_000).toISOString().slice(0, 10).replaceAll("-", "");
    renameSync(join(bus.spool, "inbox", then), join(bus.spool, "inbox", yesterday + then.slice(8)));
    const replay = new Program(bus, recipe("replay.sh"), ["jq", "-r", ".content.text"]);
    expect({ code: await replay.code(), out: replay.out }).toEqual({ code: 0, out: "then\n" });
  });
});
