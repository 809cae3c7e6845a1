// spoolway/sdk/socket/server: a TCP or TLS connection to the server that a config names, and what went wrong with it in words that say what to do. Connectors that
// use it give their users the same keys: server, port, tls, tls_verify, tls_ca, tls_fingerprint, tls_cert, tls_key.
import { connect as connectTcp, isIP, type Socket } from "node:net";
import { checkServerIdentity, type ConnectionOptions, connect as connectTls, TLSSocket } from "node:tls";
import { SpoolwayError } from "../../errors.ts";
import { type Router, router } from "../../sandbox/route.ts";
import { type Context, reconnect } from "../../sdk.ts";

export interface ServerConfig {
  /** Host name or address. */
  server: string;
  port?: number;
  tls: boolean;
  /** false trusts anyone who answers. */
  tls_verify: boolean;
  /** PEM of the CA, or of the self-signed certificate, to trust. */
  tls_ca?: string;
  /** SHA-256 of the server's certificate, hex in any case, with or without colons; takes the place of the verification. */
  tls_fingerprint?: string;
  /** PEM of the client certificate. */
  tls_cert?: string;
  /** PEM of its key; default: in tls_cert too. */
  tls_key?: string;
}

/** The ports of a protocol, for a config that names none. */
export interface Ports {
  plain: number;
  tls: number;
}

const connectTimeoutMs = 20_000;
const keepAliveMs = 60_000;

export function portOf(config: ServerConfig, ports: Ports): number {
  return config.port ?? (config.tls ? ports.tls : ports.plain);
}

/** Warns where a password goes over a connection that everybody on the way can read. */
export function warnInClear(
  { config, log, type }: Context<ServerConfig>,
  password: string | undefined,
): void {
  if (config.tls || password === undefined) return;
  log.warn(`${type}.password_in_clear`, { hint: "Use TLS: everybody on the way can read it." });
}

/**
 * Begins to connect. `onOpen` is called when the connection stands and the certificate is the one that was wanted; else the socket is destroyed with an error after
 * at most 20 s. Errors come as the socket's `error` event; serverProblem puts them into words.
 */
export function connectServer(config: ServerConfig, ports: Ports, onOpen: () => void): Socket {
  const { server: host } = config;
  const port = portOf(config, ports);
  const target = router === undefined ? { host, port } : { host: router.address, port: router.port };
  const socket = config.tls ? connectTls({ ...target, ...tlsOptions(config, host) }) : connectTcp(target);
  socket.setNoDelay(true).setKeepAlive(true, keepAliveMs);
  if (router !== undefined) leadThrough(router, socket, host, port);
  const late = setTimeout(() => socket.destroy(new Error("no answer within 20 s")), connectTimeoutMs);
  socket.once("close", () => clearTimeout(late));
  socket.once(config.tls ? "secureConnect" : "connect", () => {
    clearTimeout(late);
    const wrong = socket instanceof TLSSocket ? wrongFingerprint(socket, config) : undefined;
    if (wrong !== undefined) socket.destroy(wrong);
    else onOpen();
  });
  return socket;
}

/**
 * STARTTLS: goes on encrypted over a connection that connectServer has opened with `tls: false`, to a server whose certificate is for `name` (of a mail or chat domain; where
 * the config pins a certificate, that one). Resolves when it stands; rejects with an error for serverProblem, and the socket is destroyed then.
 */
export function startTls(socket: Socket, config: ServerConfig, name: string): Promise<TLSSocket> {
  const secured = connectTls({ socket, ...tlsOptions(config, name) });
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => {
      clearTimeout(late);
      secured.destroy();
      reject(error);
    };
    const late = setTimeout(() => fail(new Error("no TLS within 20 s")), connectTimeoutMs);
    secured.once("error", fail);
    secured.once("close", () => fail(new Error("the connection was closed while TLS began")));
    secured.once("secureConnect", () => {
      const wrong = wrongFingerprint(secured, config);
      if (wrong !== undefined) return fail(wrong);
      clearTimeout(late);
      secured.off("error", fail);
      resolve(secured);
    });
  });
}

function tlsOptions(config: ServerConfig, name: string): ConnectionOptions {
  const { tls_ca: ca, tls_cert: cert, tls_key: key, tls_fingerprint: pin } = config;
  return {
    ...(isIP(name) === 0 ? { servername: name } : {}),
    checkServerIdentity: (_asked, certificate) => checkServerIdentity(name, certificate),
    rejectUnauthorized: config.tls_verify && pin === undefined,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert, key: key ?? cert }),
  };
}

function wrongFingerprint(socket: TLSSocket, { tls_fingerprint: pin }: ServerConfig): Error | undefined {
  const seen = socket.getPeerX509Certificate()?.fingerprint256;
  return pin === undefined || hex(pin) === hex(seen ?? "") ? undefined : new FingerprintError(seen);
}

/** In a sandbox: through the proxy, whose words are worth more than the ECONNRESET that follows when it refuses. */
function leadThrough(by: Router, socket: Socket, host: string, port: number): void {
  socket.once("connect", () => {
    const { localPort = 0 } = socket;
    by.lead(localPort, host, port);
    socket.prependListener(
      "error",
      (error) => (error.message = by.failure(localPort)?.message ?? error.message),
    );
  });
}

/** The server's certificate is not the one that was pinned. */
class FingerprintError extends Error {
  constructor(seen: string | undefined) {
    super(`the server's certificate has the fingerprint ${seen ?? "(none)"}`);
  }
}

const hex = (fingerprint: string): string => fingerprint.replaceAll(":", "").toLowerCase();

/** A socket's error for people. Always worth another try: a certificate or a name server may be wrong for an hour. */
export function serverProblem(error: Error, config: ServerConfig, ports: Ports): SpoolwayError {
  const code = (error as NodeJS.ErrnoException).code ?? "";
  const message = `${config.server}:${portOf(config, ports)}: ${error.message || code}`; // an AggregateError of several addresses has no message
  const untrusted = (words: string, hint: string): SpoolwayError =>
    new SpoolwayError("tls_untrusted", words, { fate: "reconnect", hint, cause: error });
  if (error instanceof FingerprintError) {
    return untrusted(
      message,
      "If the server's operator has changed the certificate, change tls_fingerprint; if not, somebody listens in.",
    );
  }
  if (/CERT|UNABLE_TO|ALTNAME|SIGNED/.test(code)) {
    return untrusted(
      `${message} (${code})`,
      "Give the CA as tls_ca or the certificate's fingerprint as tls_fingerprint; tls_verify: false trusts anyone.",
    );
  }
  const usual = `the TLS port (often ${ports.tls})`;
  const hint = /SSL|EPROTO/.test(code)
    ? `This port may not speak TLS: use ${usual}, or set tls: false.`
    : `Check server and port.${config.tls ? ` Is this ${usual}?` : ""} It is tried again by itself.`;
  return reconnect(message, { hint, cause: error });
}
