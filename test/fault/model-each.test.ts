// Every scenario alone on the model of the disk, cut at each of its steps: once as a kill leaves it, once with only what was forced to the disk. In seconds, and the
// same in every run; what scenarios do to each other, and what lies between all and nothing, is left to chance (model.test.ts).
import { expect, test } from "vitest";
import { useFileSystem } from "../../runtime/spool/fs.ts";
import { ModelFileSystem } from "./disk-model.ts";
import { Program } from "./model-program.ts";
import { scenarios } from "./scenarios.ts";

/** What they choose: the order in which the disk answers, and what becomes of an uncertain message: it is sent again, or held. */
const seeds = [1, 7];

test.for(scenarios.map((scenario) => [scenario.name, scenario] as const))(
  "cut at each step: %s",
  async ([, scenario]) => {
    const files = new ModelFileSystem();
    const putBack = useFileSystem(files.fs);
    try {
      for (const seed of seeds) {
        const { failures, states } = await new Program(files, { seed, scenario, statesPerStep: 2 }).run();
        expect(states).toBeGreaterThan(1);
        expect(failures.map(({ problems, disk }) => [...problems, ...disk].join("\n"))).toEqual([]);
      }
    } finally {
      putBack();
    }
  },
);
