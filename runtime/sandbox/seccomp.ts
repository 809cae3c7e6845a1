// System calls that no connector needs and that are the usual ways out of a sandbox: refused by the kernel, through a filter that bubblewrap loads.
//
// The filter is a program for the kernel's own small machine (BPF, seccomp(2)): load the number, compare, answer. It goes through the numbers one by one; that costs
// some ten nanoseconds a call. What is not named is allowed: this is a second fence, the first is that nothing is there.
import { constants } from "node:os";

interface Table {
  /** AUDIT_ARCH_* */
  arch: number;
  /** Names of the calls to their numbers, from the kernel's tables; a call that the machine does not have is missing. */
  calls: Record<string, number> & { clone: number; socket: number };
}

/** Other namespaces, other mounts, other processes, the kernel itself. */
const refused = [
  ...[
    "mount",
    "umount2",
    "pivot_root",
    "chroot",
    "unshare",
    "setns",
    "open_tree",
    "move_mount",
    "fsopen",
    "fsconfig",
  ],
  ...["fsmount", "fspick", "mount_setattr", "quotactl", "name_to_handle_at", "open_by_handle_at", "ptrace"],
  ...[
    "process_vm_readv",
    "process_vm_writev",
    "kcmp",
    "bpf",
    "perf_event_open",
    "userfaultfd",
    "keyctl",
    "add_key",
  ],
  ...[
    "request_key",
    "init_module",
    "finit_module",
    "delete_module",
    "kexec_load",
    "kexec_file_load",
    "reboot",
  ],
  ...[
    "swapon",
    "swapoff",
    "acct",
    "syslog",
    "settimeofday",
    "clock_settime",
    "clock_adjtime",
    "adjtimex",
    "vhangup",
  ],
  ...["iopl", "ioperm", "modify_ldt"],
];
/** Said not to exist, so that their callers take another way. clone3 hides its flags from a filter. */
const absent = ["clone3", "io_uring_setup", "io_uring_enter", "io_uring_register"];
/** Where Spoolway runs as root: the nodes in /dev are the host's, and their owner could take them from everybody. It seems to work, as in a build container. */
const pretended = ["chmod", "fchmod", "fchmodat", "fchmodat2"];

/** The newer calls have one number everywhere. */
const everywhere = {
  ...{ io_uring_setup: 425, io_uring_enter: 426, io_uring_register: 427, open_tree: 428, move_mount: 429 },
  ...{
    fsopen: 430,
    fsconfig: 431,
    fsmount: 432,
    fspick: 433,
    clone3: 435,
    mount_setattr: 442,
    fchmodat2: 452,
  },
};

const tables: Record<string, Table> = {
  x64: {
    arch: 0xc000003e,
    calls: {
      ...everywhere,
      ...{
        socket: 41,
        clone: 56,
        chmod: 90,
        fchmod: 91,
        ptrace: 101,
        syslog: 103,
        vhangup: 153,
        modify_ldt: 154,
        pivot_root: 155,
      },
      ...{ adjtimex: 159, chroot: 161, acct: 163, settimeofday: 164, mount: 165, umount2: 166, swapon: 167 },
      ...{
        swapoff: 168,
        reboot: 169,
        iopl: 172,
        ioperm: 173,
        init_module: 175,
        delete_module: 176,
        quotactl: 179,
      },
      ...{ clock_settime: 227, kexec_load: 246, add_key: 248, request_key: 249, keyctl: 250, fchmodat: 268 },
      ...{
        unshare: 272,
        perf_event_open: 298,
        name_to_handle_at: 303,
        open_by_handle_at: 304,
        clock_adjtime: 305,
      },
      ...{ setns: 308, process_vm_readv: 310, process_vm_writev: 311, kcmp: 312, finit_module: 313 },
      ...{ kexec_file_load: 320, bpf: 321, userfaultfd: 323 },
    },
  },
  arm64: {
    arch: 0xc00000b7,
    calls: {
      ...everywhere,
      ...{
        umount2: 39,
        mount: 40,
        pivot_root: 41,
        chroot: 51,
        fchmod: 52,
        fchmodat: 53,
        vhangup: 58,
        quotactl: 60,
      },
      ...{ acct: 89, unshare: 97, kexec_load: 104, init_module: 105, delete_module: 106, clock_settime: 112 },
      ...{
        syslog: 116,
        ptrace: 117,
        reboot: 142,
        settimeofday: 170,
        adjtimex: 171,
        add_key: 217,
        request_key: 218,
      },
      ...{
        socket: 198,
        keyctl: 219,
        clone: 220,
        swapon: 224,
        swapoff: 225,
        perf_event_open: 241,
        name_to_handle_at: 264,
      },
      ...{
        open_by_handle_at: 265,
        clock_adjtime: 266,
        setns: 268,
        process_vm_readv: 270,
        process_vm_writev: 271,
      },
      ...{ kcmp: 272, finit_module: 273, bpf: 280, userfaultfd: 282, kexec_file_load: 294 },
    },
  },
};

/** CLONE_NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET, NEWNS, in the flags of clone. */
const newNamespaces =
  0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000 | 0x00020000;
/**
 * AF_UNIX, AF_INET, AF_INET6, AF_NETLINK (what interfaces there are). All others are refused: AF_VSOCK leads from a virtual machine to its host and knows no namespaces.
 */
const sockets = [1, 2, 10, 16];
/** Numbers from here on are the 32 bit ways into a 64 bit kernel: another table, so none of them. */
const otherTable = 0x40000000;

const load = 0x20; // BPF_LD | BPF_W | BPF_ABS
const jumpEqual = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const jumpAtLeast = 0x35; // BPF_JMP | BPF_JGE | BPF_K
const jumpAnyBit = 0x45; // BPF_JMP | BPF_JSET | BPF_K
const answer = 0x06; // BPF_RET | BPF_K
const at = { number: 0, arch: 4, firstArgument: 16 };
const allow = 0x7fff0000;
const kill = 0x80000000;
const fail = (errno: number): number => 0x00050000 | errno;

/** The filter as bytes, or undefined for a machine whose numbers are not known here. `asRoot`: Spoolway runs as root. */
export function seccompFilter(asRoot: boolean, machine: string = process.arch): Buffer | undefined {
  const table = tables[machine];
  if (table === undefined) return undefined;
  const { EPERM, ENOSYS, EAFNOSUPPORT } = constants.errno;
  const steps: Step[] = [
    [load, 0, 0, at.arch],
    ...unless(jumpEqual, table.arch, kill),
    [load, 0, 0, at.number],
    ...when(jumpAtLeast, otherTable, fail(ENOSYS)),
    ...answers(table, refused, fail(EPERM)),
    ...answers(table, absent, fail(ENOSYS)),
    ...(asRoot ? answers(table, pretended, fail(0)) : []),
    // Two are left, whose first argument decides.
    ...argumentOf(table.calls.clone, when(jumpAnyBit, newNamespaces, fail(EPERM))),
    ...argumentOf(table.calls.socket, [
      ...sockets.flatMap((family) => when(jumpEqual, family, allow)),
      [answer, 0, 0, fail(EAFNOSUPPORT)],
    ]),
    [answer, 0, 0, allow],
  ];
  return Buffer.concat(steps.map(encode));
}

/** Code, steps to skip when true and when false, value: struct sock_filter. */
type Step = [code: number, whenTrue: number, whenFalse: number, value: number];

const when = (test: number, value: number, result: number): Step[] => [
  [test, 0, 1, value],
  [answer, 0, 0, result],
];
/** The steps for one call: they end with an answer, or the call is allowed. */
const argumentOf = (number: number, steps: readonly Step[]): Step[] => [
  [jumpEqual, 0, steps.length + 2, number],
  [load, 0, 0, at.firstArgument],
  ...steps,
  [answer, 0, 0, allow],
];
const unless = (test: number, value: number, result: number): Step[] => [
  [test, 1, 0, value],
  [answer, 0, 0, result],
];

function answers({ calls }: Table, names: readonly string[], result: number): Step[] {
  const numbers = names.flatMap((name) => calls[name] ?? []);
  return numbers.flatMap((number) => when(jumpEqual, number, result));
}

/** Both machines are little-endian. */
function encode([code, whenTrue, whenFalse, value]: Step): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt16LE(code, 0);
  bytes.writeUInt8(whenTrue, 2);
  bytes.writeUInt8(whenFalse, 3);
  bytes.writeUInt32LE(value >>> 0, 4);
  return bytes;
}
