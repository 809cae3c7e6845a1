// Two sockets made one: what comes in at one goes out at the other, as fast as the slower one takes it, and each side may stop talking before the other does.
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";

/** Both were made with allowHalfOpen. Resolves when both are closed, with what went wrong, if anything did. */
export async function tunnel(one: Duplex, other: Duplex): Promise<Error | undefined> {
  let failure: Error | undefined;
  const tie = (from: Duplex, to: Duplex): Promise<void> => {
    from.pipe(to);
    from.on("error", (error) => (failure ??= error));
    return new Promise((closed) => {
      const over = (): void => {
        // Broken off is not ended: where the system can say the difference, the other side hears it.
        if (!from.readableEnded || !from.writableFinished) breakOff(to);
        closed();
      };
      if (from.closed) over();
      else from.once("close", over);
    });
  };
  await Promise.all([tie(one, other), tie(other, one)]);
  return failure;
}

/** Ends it as a lost connection, not as one that said all it had to say. */
export function breakOff(stream: Duplex): void {
  if (stream.destroyed) return;
  const socket = stream as Socket;
  // A unix socket has no such thing.
  if (socket.remoteFamily !== undefined) socket.resetAndDestroy();
  else stream.destroy();
}
