// Being asked to end: once means that everything finishes first, twice means at once.
//
//   SIGTERM, SIGINT   end            lock lost   end, with another exit code
//   SIGHUP            reload; also what a closing terminal sends, which must not end the bus
import { superviseExit } from "./exit.ts";

const sameRequestMs = 1000;

/** Asked to end: by a signal, or because the lock was lost. The second time means at once. */
export class StopRequest {
  exitCode: number = superviseExit.asked;
  reason = "";
  private askedAt = 0;
  private asked = Promise.withResolvers<void>();
  private urged = Promise.withResolvers<void>();
  onHangup: () => void = () => undefined;

  readonly first = this.asked.promise;
  readonly second = this.urged.promise;

  ask(reason: string, exitCode: number): void {
    if (this.reason !== "") {
      // One Ctrl-C arrives twice where npm or timeout(1) passes it on to a process that the terminal told already.
      if (performance.now() - this.askedAt > sameRequestMs) this.urged.resolve();
      return;
    }
    this.reason = reason;
    this.askedAt = performance.now();
    this.exitCode = exitCode;
    this.asked.resolve();
  }

  private readonly signal = (name: NodeJS.Signals) => this.ask(name, superviseExit.asked);
  private readonly hangup = () => this.onHangup();

  listen(): void {
    process.on("SIGTERM", this.signal);
    process.on("SIGINT", this.signal);
    process.on("SIGHUP", this.hangup);
  }

  unlisten(): void {
    process.off("SIGTERM", this.signal);
    process.off("SIGINT", this.signal);
    process.off("SIGHUP", this.hangup);
  }
}
