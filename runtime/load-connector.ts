// Loads a connector's module, wherever it lies: in its own process, or in the sandbox's guest.
import { existsSync } from "node:fs";
import { registerHooks } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { SpoolwayError } from "./errors.ts";
import { installHint, missingLibraries } from "./libraries.ts";
import type { ConnectorDefinition } from "./sdk.ts";

const packageFolder = fileURLToPath(new URL("../", import.meta.url));

/** Throws connector_broken or library_missing. */
export async function loadConnector(
  entry: string,
  type: string,
): Promise<ConnectorDefinition<unknown, unknown>> {
  resolveSdkFor(entry);
  let loaded: { default?: Partial<ConnectorDefinition<unknown, unknown>> };
  try {
    loaded = (await import(pathToFileURL(entry).href)) as typeof loaded;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const libraries = missingLibraries(dirname(entry));
    if (libraries.length > 0) {
      const what = `connector ${type} needs ${libraries.join(", ")}, which is not installed`;
      throw new SpoolwayError("library_missing", what, { cause: error, hint: installHint(type) });
    }
    const missing =
      code === "ERR_MODULE_NOT_FOUND" ? /Cannot find package '([^']+)'/.exec(message)?.[1] : undefined;
    const hint = missing === undefined ? "Correct the connector's code." : `Run: npm install ${missing}`;
    throw new SpoolwayError("connector_broken", `connector ${type} could not be loaded: ${message}`, {
      cause: error,
      hint,
    });
  }
  if (typeof loaded.default?.connect !== "function") {
    throw new SpoolwayError(
      "connector_broken",
      `${entry} does not default-export defineConnector({ connect, … })`,
    );
  }
  return loaded.default as ConnectorDefinition<unknown, unknown>;
}

/**
 * Connectors outside this package (in somebody's home folder) import "spoolway/sdk" and its parts ("spoolway/sdk/lines") too: this installation's, wherever they
 * lie. So do those whose libraries make a package of their folder. The others know them already, and hooks cost start time and memory.
 */
export function resolveSdkFor(entry: string): void {
  if (entry.startsWith(packageFolder) && !existsSync(join(dirname(entry), "package.json"))) return;
  registerHooks({
    resolve: (specifier, context, next) => {
      const part = /^spoolway\/(sdk(?:\/[a-z0-9-]+){0,2})$/.exec(specifier)?.[1];
      if (part === undefined) return next(specifier, context);
      const url = new URL(`./${part}.ts`, import.meta.url).href;
      return { url, format: "module-typescript", shortCircuit: true };
    },
  });
}
