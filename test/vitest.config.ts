// How the tests run. They start real processes and wait on real clocks, so: few at once, and generous limits.
import { resolve } from "node:path";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/**
 * The long ones first, so that they do not run alone at the end: the fault tests, which compute, in turn with the contracts, which wait, so that there is always
 * something to do; then the other ones with processes, and at last those that take no time.
 */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const of = (folder: string): TestSpecification[] =>
      sorted.filter(({ moduleId }) => moduleId.includes(`/test/${folder}/`));
    const [faults, contracts] = [of("fault"), of("contract")];
    const inTurn = faults.flatMap((file, at) => [file, ...contracts.slice(at, at + 1)]);
    return [...new Set([...inTurn, ...contracts, ...of("integration"), ...sorted])];
  }
}

const root = resolve(import.meta.dirname, "..");

export default defineConfig({
  root,
  // As runtime/load-connector.ts does for connectors whose libraries make a package of their folder.
  resolve: {
    alias: [{ find: /^spoolway\/(sdk(?:\/[a-z0-9-]+){0,2})$/, replacement: `${root}/runtime/$1.ts` }],
  },
  test: {
    include: ["test/{unit,contract,integration,fault}/**/*.test.ts", "connectors/**/*.test.ts"],
    pool: "forks",
    // Most of them wait most of the time, for a server, a pause, a clock; and one computes in the background (test/fault/model-worker.ts).
    maxWorkers: 5,
    // As runtime/spoolway.js does: thousands of processes would strip the same types.
    env: { NODE_COMPILE_CACHE: `${root}/node_modules/.cache/spoolway` },
    // As node itself imports CommonJS; else the generated validators find their helpers in another place than in production.
    deps: { interopDefault: false },
    testTimeout: 60_000,
    hookTimeout: 60_000,
    teardownTimeout: 20_000,
    sequence: { sequencer: LongestFirst },
  },
});
