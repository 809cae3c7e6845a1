// What a guest sees: the arguments of bubblewrap. A tmpfs as root, read-only at the end, and in it only what is named here.
//
//   the system's programs, libraries and CA certificates │ node │ this package │ the connector's own folder      read-only
//   what the operator granted (to change, where that was granted) │ the attachments of messages being sent │ the sockets of host.ts          read-only
//   /sandbox (spool/state/<name>/sandbox/home), /tmp, /dev/shm                                                    its own
//
// Where Spoolway runs as root, the guest still has root's user id outside, without any capability: it owns every file of root that it can see, whatever the mode
// says. So what must not be read or changed is not there at all, nothing of the host's /proc is writable, and a filter (seccomp.ts) keeps the nodes of /dev as they are.
import { lstatSync, readdirSync, readlinkSync, realpathSync, statSync } from "node:fs";
import { dirname, join } from "node:path";

export const guestHome = "/sandbox";
export const guestRun = "/run/spoolway";
const guestId = "1000";
const tmpfsBytes = 64 * 1024 * 1024;

export interface View {
  /** The folder of connectors.yml, for paths: it is empty inside but for what is granted. */
  home: string;
  /** Host paths: the guest's own writable folder, the lent attachments, the sockets. */
  own: string;
  media: string;
  run: string;
  /** Where node resolves modules from: this package's folder and the connector's own, both real paths. */
  packageFolder: string;
  connectorFolder: string;
  node: string;
  /** Granted, or needed for CA certificates, at the same path. */
  read: readonly string[];
  write: readonly string[];
  /** Ports below 1024 of its own loopback, where what is granted elsewhere can be reached. */
  lowPorts: boolean;
  env: Readonly<Record<string, string>>;
}

/** Where the guest finds the attachments of a message: at the path that a program outside would be given. */
export const guestMedia = (home: string): string => join(home, "spool", "media");

/** Without the command. `dataFd`: the first descriptor of the contents of guestFiles, in their order. */
export function bwrapArguments(
  view: View,
  files: ReadonlyArray<readonly [string, string]>,
  dataFd: number,
): string[] {
  return [
    ...["--unshare-user", "--unshare-all", "--disable-userns", "--uid", guestId, "--gid", guestId],
    ...["--die-with-parent", "--new-session", "--cap-drop", "ALL", "--hostname", "sandbox", "--clearenv"],
    ...(view.lowPorts ? ["--cap-add", "CAP_NET_BIND_SERVICE"] : []),
    ...Object.entries(view.env).flatMap(([name, value]) => ["--setenv", name, value]),
    ...systemFolders(),
    ...procFolder(),
    ...devFolder(),
    ...["--size", String(tmpfsBytes), "--perms", "0700", "--tmpfs", "/tmp"],
    ...files.flatMap(([path], at) => ["--ro-bind-data", String(dataFd + at), path]),
    ...["--tmpfs", view.home],
    ...visible(view).flatMap((path) => ["--ro-bind", path, path]),
    ...view.write.flatMap((path) => ["--bind", path, path]),
    ...["--ro-bind", view.media, guestMedia(view.home), "--ro-bind", view.run, guestRun],
    ...["--bind", view.own, guestHome, "--chdir", guestHome, "--remount-ro", view.home, "--remount-ro", "/"],
  ];
}

/** Every path of the host that is bound read-only under its own name. */
export function visible(view: View): string[] {
  const { packageFolder, connectorFolder, node, read } = view;
  const own = ["runtime", "schema", "package.json"].map((name) => join(packageFolder, name));
  const modules = [packageFolder, connectorFolder].flatMap(moduleFolders);
  return [
    ...new Set([node, ...own, ...modules, connectorFolder, ...nearestPackage(connectorFolder), ...read]),
  ];
}

/** What programs look up in /etc, and nothing of the host in it. `hosts`: lines beyond localhost. */
export function guestFiles(hosts: readonly string[]): Array<[string, string]> {
  return [
    [
      "/etc/passwd",
      `connector:x:${guestId}:${guestId}::${guestHome}:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n`,
    ],
    ["/etc/group", `connector:x:${guestId}:\nnogroup:x:65534:\n`],
    ["/etc/hosts", ["127.0.0.1 localhost", "::1 localhost", "127.0.0.1 sandbox", ...hosts, ""].join("\n")],
    ["/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"],
  ];
}

/** Of /etc only what is public. (/etc/ssl/private and /etc/pki/tls/private are not.) */
const publicEtc = [
  ...[
    "ssl/certs",
    "ssl/openssl.cnf",
    "pki/tls/certs",
    "pki/tls/cert.pem",
    "pki/tls/openssl.cnf",
    "pki/ca-trust/extracted",
  ],
  ...[
    "localtime",
    "alternatives",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "mime.types",
    "protocols",
    "services",
  ],
];
const storeFolders = ["/nix/store", "/gnu/store"];

function systemFolders(): string[] {
  const bind = (path: string): string[] => ["--ro-bind-try", path, path];
  const links = ["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"].flatMap((path) => {
    const stat = lstatSync(path, { throwIfNoEntry: false });
    return stat?.isSymbolicLink() ? ["--symlink", readlinkSync(path), path] : bind(path);
  });
  const local = isFolder("/usr/local/etc")
    ? ["--tmpfs", "/usr/local/etc", "--remount-ro", "/usr/local/etc"]
    : [];
  const etc = publicEtc.flatMap((name) => bind(`/etc/${name}`));
  return [...bind("/usr"), ...local, ...links, ...storeFolders.flatMap(bind), ...etc];
}

/** Beside the processes. Root's user id is enough to write to much of the rest: /proc/sys/kernel/core_pattern names a program that the host starts as root. */
const publicProc = new Set(["cpuinfo", "filesystems", "loadavg", "meminfo", "stat", "uptime", "version"]);

function procFolder(): string[] {
  const hidden = readdirSync("/proc", { withFileTypes: true }).filter(
    (entry) => !/^\d+$/.test(entry.name) && !entry.isSymbolicLink() && !publicProc.has(entry.name),
  );
  const masks = hidden.flatMap((entry) => {
    const path = `/proc/${entry.name}`;
    return entry.isDirectory() ? ["--tmpfs", path, "--remount-ro", path] : ["--ro-bind", "/dev/null", path];
  });
  return ["--proc", "/proc", ...masks];
}

function devFolder(): string[] {
  const shm = ["--size", String(tmpfsBytes), "--perms", "0700", "--tmpfs", "/dev/shm"];
  return ["--dev", "/dev", ...shm, "--remount-ro", "/dev"];
}

/** Every node_modules folder that an import below `folder` can reach. */
function moduleFolders(folder: string): string[] {
  return ancestors(folder)
    .map((path) => join(path, "node_modules"))
    .filter(isFolder);
}

/** The package.json that says what kind of modules a folder holds, where it lies above the folder. */
function nearestPackage(folder: string): string[] {
  const found = ancestors(folder).map((path) => join(path, "package.json"));
  return found.filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile()).slice(0, 1);
}

/** The folder and those above it, nearest first. */
function ancestors(folder: string): string[] {
  const above = dirname(folder);
  return above === folder ? [folder] : [folder, ...ancestors(above)];
}

const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;

/** The path with every link resolved; itself where there is nothing. */
export function realPath(path: string): string {
  return statSync(path, { throwIfNoEntry: false }) === undefined ? path : realpathSync(path);
}
