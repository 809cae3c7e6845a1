// spoolway/sdk/socket/unix-socket: a unix socket for this user only. It takes the place of one that a killed process left, and never of one that somebody listens on.
import { once } from "node:events";
import { chmodSync, rmSync } from "node:fs";
import { connect, type Server } from "node:net";
import { errnoOf } from "../../errors.ts";

/**
 * Listens at `path`, which may have only about 100 bytes: better relative. Throws when somebody listens there, or what the system says. Closing the server removes
 * the file. RACE: of two processes that begin in the same moment the later one takes the path; isListening cannot tell them apart. One owner a folder, as
 * spool/state/<name> has, rules that out.
 */
export async function listenPrivately(server: Server, path: string): Promise<void> {
  if (await isListening(path)) throw new Error(`another process listens on ${path}`);
  rmSync(path, { force: true }); // what a killed process left
  const listening = once(server, "listening");
  const umask = process.umask(0o177); // never open to others, not even until chmod
  try {
    server.listen(path); // makes the file before it returns: nothing else is made under this umask
  } finally {
    process.umask(umask);
  }
  await listening;
  chmodSync(path, 0o600);
}

/** Whether somebody accepts connections there. */
export async function isListening(path: string): Promise<boolean> {
  const socket = connect(path);
  try {
    await once(socket, "connect");
    return true;
  } catch (error) {
    const code = errnoOf(error);
    if (code === "ENOENT" || code === "ECONNREFUSED") return false;
    throw error;
  } finally {
    socket.destroy();
  }
}
