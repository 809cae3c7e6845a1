// Connectors outside this package (in somebody's home folder) import "spoolway/sdk" too: it is this installation's, wherever they lie.
import { registerHooks } from "node:module";
import { fileURLToPath } from "node:url";

const packageFolder = fileURLToPath(new URL("../../", import.meta.url));

/** Makes "spoolway/sdk" known to a connector at `entry`. Connectors inside the package know it already, and hooks cost start time and memory. */
export function resolveSdkFor(entry: string): void {
  if (entry.startsWith(packageFolder)) return;
  const sdk = new URL("../sdk.ts", import.meta.url).href;
  registerHooks({
    resolve: (specifier, context, next) =>
      specifier === "spoolway/sdk"
        ? { url: sdk, format: "module-typescript", shortCircuit: true }
        : next(specifier, context),
  });
}
