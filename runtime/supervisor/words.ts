// What the status says in words.
import type { ConnectorStatus } from "../../schema/types.ts";

/** An error as the status shows it. */
export type Problem = { code: string; message: string };

/** What a person can do about a state that we know the reason of; undefined where the connector itself knows better. */
export function actionFor(
  state: ConnectorStatus["state"],
  name: string,
  pauseReason: string | undefined,
): string | undefined {
  if (state === "parked") return `It ended too often; see its log. To try now: spoolway restart ${name}`;
  if (state !== "paused") return undefined;
  return `${pauseReason ? `Paused: ${pauseReason}. ` : ""}To go on: spoolway resume ${name}`;
}

interface Ending {
  code: number | null;
  signal: NodeJS.Signals | null;
  failure: Error | undefined;
  killing: Problem | undefined;
}

/** The end in words: "hung: no heartbeat for 10 s; killed by SIGKILL". */
export function exitText(exit: Ending, asked: boolean): string {
  const { code, signal, failure, killing } = exit;
  if (failure) return `could not be started: ${failure.message}`;
  const how = signal === null ? `exit code ${code}` : `killed by ${signal}`;
  if (killing) return `${killing.code}: ${killing.message}; ${how}`;
  return asked ? `asked to end; ${how}` : how;
}
