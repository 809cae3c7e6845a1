// The libraries of a connector: those in its own folder's package.json, which the default install leaves out so that nobody carries what he does not use.
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

interface PackageFile {
  dependencies?: Record<string, string>;
}

/** The packages that a connector's folder asks for, with their versions; none where it has no package.json. */
export function librariesOf(folder: string): Record<string, string> {
  const path = join(folder, "package.json");
  if (!existsSync(path)) return {};
  return (JSON.parse(readFileSync(path, "utf8")) as PackageFile).dependencies ?? {};
}

/** Those of them that are not installed where Node would look for them. */
export function missingLibraries(folder: string): string[] {
  return Object.keys(librariesOf(folder)).filter((name) => !isInstalled(folder, name));
}

/** The command that installs them. */
export function installHint(type: string): string {
  return `Run: npx spoolway install ${type}`;
}

function isInstalled(folder: string, name: string): boolean {
  for (let at = folder; ; at = dirname(at)) {
    if (existsSync(join(at, "node_modules", name, "package.json"))) return true;
    if (at === dirname(at)) return false;
  }
}
