// Starts a connector's code under bubblewrap (runtime/sandbox) and gives the connector's process what it works with instead of the module.
import { realpathSync } from "node:fs";
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import type { ConnectorConfig } from "../config/model.ts";
import { SpoolwayError } from "../errors.ts";
import { egressSocket, hostLines, proxyEnvironment } from "../sandbox/bridge-names.ts";
import { guestHome, guestMedia, realPath, type View, visible } from "../sandbox/bwrap.ts";
import { GuestProcess } from "../sandbox/guest-process.ts";
import { startEgress } from "../sandbox/egress.ts";
import { Host } from "../sandbox/host.ts";
import { startListening } from "../sandbox/listen.ts";
import type { ConnectorDefinition, Logger } from "../sdk.ts";
import { Lender, prepareSandbox, type SandboxPaths } from "../spool/lend.ts";
import type { SpoolPaths } from "../spool/names.ts";
import type { Vital } from "./beat.ts";

const packageFolder = realpathSync(fileURLToPath(new URL("../../", import.meta.url))).replace(/\/$/, "");

export interface Sandboxed {
  definition: ConnectorDefinition<unknown, unknown>;
  vital: Vital;
  end(): Promise<void>;
}

/**
 * Throws sandbox_unavailable, sandbox_unsuitable, or connector_broken as an unsandboxed start does. `over` is called when the guest has ended without being asked to.
 */
export async function startSandboxed(
  connector: ConnectorConfig,
  home: string,
  paths: SpoolPaths,
  log: Logger,
  over: (reason: SpoolwayError) => void,
): Promise<Sandboxed> {
  const { name, type, config, loader, settings } = connector;
  const grants = connector.grants;
  const folders = await prepareSandbox(paths);
  const view = viewOf(connector, home, folders);
  refuseExposure(view, [home, paths.root].map(realPath));
  // Relative to this process's folder: the path of a unix socket may have about 100 bytes.
  const run = relative(process.cwd(), folders.run);
  const egress = await startEgress({ path: egressSocket(run), grants, log });
  const listening = await startListening({ folder: run, grants });
  const hosts = hostLines(grants);
  const guest = new GuestProcess({ view, memoryMb: settings.memoryMb, loader, hosts, log });
  const lender = new Lender(paths, folders);
  const host = new Host({
    guest,
    init: {
      name,
      type,
      home,
      config,
      entry: realPath(connector.entry),
      debug: process.env.SPOOLWAY_DEBUG !== undefined,
    },
    log,
    lend: ({ attachments }) => lender.lend(attachments),
  });
  let asked = false;
  void guest.over.then((reason) => asked || over(reason));
  return {
    definition: await host.definition,
    vital: { isAlive: () => host.answers, rssBytes: () => guest.rssBytes },
    end: async () => {
      asked = true;
      await guest.end();
      await Promise.all([egress.close(), listening.close()]);
    },
  };
}

function viewOf(
  { folder, grants }: ConnectorConfig,
  home: string,
  { home: own, media, run }: SandboxPaths,
): View {
  const certificates = ["NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE"].flatMap((key) => {
    const path = process.env[key];
    return path === undefined ? [] : [[key, realPath(path)] as const];
  });
  // The cache of compiled code can only be read there: what a guest has written must not run again after its connector was mended.
  const inherited = ["LANG", "TZ", "NODE_COMPILE_CACHE", "MALLOC_ARENA_MAX"].flatMap((key) => {
    const value = process.env[key];
    return value === undefined ? [] : [[key, value] as const];
  });
  return {
    home,
    own,
    media,
    run,
    packageFolder,
    connectorFolder: realPath(folder),
    node: process.execPath,
    read: [...certificates.map(([, path]) => path), ...grants.read],
    write: grants.write,
    lowPorts: grants.network.length + grants.listen.length > 0,
    env: {
      PATH: "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
      HOME: guestHome,
      TMPDIR: "/tmp",
      SPOOLWAY_MEDIA: guestMedia(home),
      ...proxyEnvironment(grants),
      ...Object.fromEntries([...certificates, ...inherited]),
    },
  };
}

/**
 * Whoever binds a folder shows all that lies in it; and a link could be turned elsewhere by somebody who was granted the folder that it is in. Throws
 * sandbox_unsuitable.
 */
function refuseExposure(view: View, hidden: readonly string[]): void {
  const link = [...view.read, ...view.write].find((path) => realPath(path) !== path);
  if (link !== undefined) {
    throw new SpoolwayError("sandbox_unsuitable", `${link} is a link, or lies below one`, {
      hint: `Grant ${realPath(link)} instead.`,
    });
  }
  for (const path of ["/usr", ...visible(view), ...view.write]) {
    const inside = hidden.find((one) => one === path || !relative(path, one).startsWith(".."));
    if (inside === undefined) continue;
    throw new SpoolwayError("sandbox_unsuitable", `the sandbox would show ${path}, and with it ${inside}`, {
      hint: "Put the connector's folder, and what it may read, beside connectors.yml and the spool, not above them.",
    });
  }
}
