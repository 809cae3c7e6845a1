// Which connectors there are, as cheaply as possible: a running bus knows; else connectors.yml is read.
import { SpoolwayError } from "../errors.ts";
import { type Bus, lookAtBus } from "./bus.ts";
import type { CommandContext } from "./context.ts";

/** The names in connectors.yml. Throws `config_invalid` where it cannot be read. */
export async function configuredNames(home: string): Promise<string[]> {
  const { loadConfig } = await import("../config/load.ts");
  const config = await loadConfig(home);
  if (!config.unusable) return [...config.connectors, ...config.invalid].map(({ name }) => name);
  const problem = config.problems[0];
  throw new SpoolwayError(
    "config_invalid",
    `${problem?.file ?? "connectors.yml"}: ${problem?.message ?? ""}`,
    {
      ...(problem?.hint === undefined ? {} : { hint: problem.hint }),
    },
  );
}

/** Throws `usage` with a near miss when there is no connector of this name. `hint` is added to the suggestion. */
export async function expectConnector(context: CommandContext, name: string, hint = ""): Promise<Bus> {
  const bus = lookAtBus(context.spool);
  if (bus.state === "running" && bus.status?.connectors.some((one) => one.name === name)) return bus;
  const names = await configuredNames(context.home);
  if (names.includes(name)) return bus;
  const { didYouMean } = await import("../config/suggest.ts");
  const suggestion = didYouMean(name, names, "connectors here");
  throw new SpoolwayError("usage", `there is no connector ${JSON.stringify(name)} in connectors.yml`, {
    hint: hint === "" ? suggestion : `${suggestion} ${hint}`,
  });
}
