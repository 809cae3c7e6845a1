// A scenario on a file system with faults: prepared without them, carried out with them.
import type { Injected } from "./inject.ts";
import type { Scenario } from "./scenarios.ts";
import type { World } from "./world.ts";

/** What the act threw, if it did. `prepared` is called in between. */
export async function perform(
  scenario: Scenario,
  world: World,
  injected: Injected,
  prepared: () => void = () => undefined,
): Promise<Error | undefined> {
  try {
    const remembered = await scenario.prepare(world);
    prepared();
    injected.arm();
    await scenario.act(world, remembered);
    return undefined;
  } catch (error) {
    return error as Error;
  } finally {
    injected.disarm();
  }
}
