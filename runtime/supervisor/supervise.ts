// The supervisor: runs every connector of connectors.yml as its own process, until it is asked to end.
//
//   read the configuration ▶ lock the spool ▶ open it ▶ start the connectors ▶ every second: look, obey, report ▶ stop them all ▶ unlock
//
// Everything is decided here and in the keepers, in one thread and in the order in which it happens; the processes are where work is done.
import { loadConfig } from "../config/load.ts";
import { SpoolwayError } from "../errors.ts";
import { openSpool, prepareReserve } from "../spool/spool.ts";
import { superviseExit } from "./exit.ts";
import { lockSpool, type SpoolLock } from "./lock.ts";
import { logProblems } from "./reload.ts";
import { StopRequest } from "./stop.ts";
import { Supervisor, type SupervisorOptions } from "./supervisor.ts";

/** For the supervisor's status on a full disk, in a folder whose name no connector can have: some hundred connectors are told about in this many bytes. */
const reserveBytes = 256 * 1024;
const reserveOwner = "_supervisor";

/** Runs until SIGTERM or SIGINT; resolves with the exit code. What went wrong was logged. */
export async function supervise(options: SupervisorOptions): Promise<number> {
  const { home, spool, out } = options;
  const stop = new StopRequest();
  let lock: SpoolLock | undefined;
  // First, and before anything is made: a mistyped --home leaves no spool behind.
  const loaded = await loadConfig(home);
  logProblems(out, loaded);
  if (loaded.unusable) return superviseExit.configUnusable;
  try {
    lock = await lockSpool(spool, {
      log: out,
      onCompromised: (error) => {
        out.error("lock.compromised", { message: error.message });
        stop.ask("lock lost", superviseExit.locked);
      },
    });
    stop.listen();
    await openSpool(spool);
    prepareReserve(spool, reserveOwner, reserveBytes);
    return await new Supervisor(options, lock.fd, loaded.supervisor).run(loaded, stop);
  } catch (error) {
    if (!(error instanceof SpoolwayError)) throw error;
    const { code, message, hint } = error;
    out.error("supervisor.failed", { code, message, hint });
    return code === "spool_locked" ? superviseExit.locked : superviseExit.spoolUnusable;
  } finally {
    await lock?.release();
    stop.unlisten();
  }
}
