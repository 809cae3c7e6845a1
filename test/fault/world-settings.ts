// The connector's settings in the fault scenarios.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { connectorSettings, overlay } from "../../runtime/config/settings.ts";
import type { DefaultsFile } from "../../schema/types.ts";

const defaultsFile = join(import.meta.dirname, "../../config/defaults.yml");
const defaults = parse(readFileSync(defaultsFile, "utf8")) as DefaultsFile;
/** Tries without end and without waiting, and unfinished drops refused at the second look: crashes are the test's doing. */
export const faultSettings = connectorSettings(
  overlay(defaults.connector ?? {}, {
    retry: { attempts: 1000, base: "1ms", max: "1ms" },
    settle: "0ms",
    send_timeout: "1h",
    reserve_bytes: 0,
  }),
);
