// A process that takes a spool's lock and says so; with "child", a child of it inherits the lock, as a connector does. Arguments: spool, "child" or "alone",
// "working" when it writes a status every 200 ms as a supervisor does.
import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { createLog } from "../../../runtime/log.ts";
import { lockSpool } from "../../../runtime/supervisor/lock.ts";

const [spool = "", family, working] = process.argv.slice(2);
const log = createLog({ format: "json", destination: { write: (line) => process.stderr.write(line) } });
const lock = await lockSpool(spool, {
  log,
  onCompromised: (error) => process.stdout.write(`compromised ${error.message}\n`),
});

let seq = 0;
mkdirSync(join(spool, "heartbeat"), { recursive: true });
const status = () => {
  seq += 1;
  const at = new Date().toISOString();
  const fixed = {
    version: 1,
    pid: process.pid,
    host: process.env.TEST_HOST ?? hostname(),
    started_at: at,
    beat_at: at,
  };
  writeFileSync(
    join(spool, "heartbeat/_supervisor.json"),
    JSON.stringify({ ...fixed, seq, state: "running", connectors: [] }),
  );
};
status();
if (working === "working") setInterval(status, 200);
else setInterval(() => undefined, 60_000);

if (family === "child") {
  const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], {
    stdio: ["ignore", "ignore", "ignore", lock.fd ?? "ignore"],
    detached: true,
  });
  process.stdout.write(`child ${child.pid}\n`);
}
process.stdout.write("locked\n");
process.once("SIGTERM", () => void lock.release().then(() => process.exit(0)));
