// Connectors outside this package (in somebody's home folder) import "spoolway/sdk" too: it is this installation's, wherever they lie.
import { registerHooks } from "node:module";
import { fileURLToPath } from "node:url";

const packageFolder = fileURLToPath(new URL("../../", import.meta.url));

/**
 * Makes "spoolway/sdk" and its parts ("spoolway/sdk/lines") known to a connector at `entry`. Connectors inside the package know them already, and hooks cost
 * start time and memory.
 */
export function resolveSdkFor(entry: string): void {
  if (entry.startsWith(packageFolder)) return;
  registerHooks({
    resolve: (specifier, context, next) => {
      const part = /^spoolway\/(sdk(?:\/[a-z0-9-]+)?)$/.exec(specifier)?.[1];
      if (part === undefined) return next(specifier, context);
      const url = new URL(`../${part}.ts`, import.meta.url).href;
      return { url, format: "module-typescript", shortCircuit: true };
    },
  });
}
