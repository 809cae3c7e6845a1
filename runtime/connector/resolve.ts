// Connectors outside this package (in somebody's home folder) import "spoolway/sdk" too: it is this installation's, wherever they lie.
import { registerHooks } from "node:module";

const sdk = import.meta.resolve("../sdk.ts");

export function resolveSdkFromAnywhere(): void {
  registerHooks({
    resolve: (specifier, context, next) =>
      specifier === "spoolway/sdk"
        ? { url: sdk, format: "module-typescript", shortCircuit: true }
        : next(specifier, context),
  });
}
