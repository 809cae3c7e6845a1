// The filter of system calls, run step by step as the kernel runs it, for both machines. (That this machine's kernel takes it and obeys is tested by
// test/fault/sandbox-escape.test.ts.)
import { constants } from "node:os";
import { expect, test } from "vitest";
import { seccompFilter } from "../../../runtime/sandbox/seccomp.ts";

const { EPERM, ENOSYS, EAFNOSUPPORT } = constants.errno;
const machines = {
  x64: {
    arch: 0xc000003e,
    read: 0,
    execve: 59,
    clone: 56,
    mount: 165,
    ptrace: 101,
    chmod: 90,
    unshare: 272,
    socket: 41,
  },
  arm64: {
    arch: 0xc00000b7,
    read: 63,
    execve: 221,
    clone: 220,
    mount: 40,
    ptrace: 117,
    chmod: 52,
    unshare: 97,
    socket: 198,
  },
} as const;

/** What the program answers to a call: "allow", "kill" or the errno. */
function run(filter: Buffer, call: { number: number; arch: number; flags?: number }): string | number {
  const data = Buffer.alloc(64);
  data.writeUInt32LE(call.number, 0);
  data.writeUInt32LE(call.arch, 4);
  data.writeUInt32LE((call.flags ?? 0) >>> 0, 16);
  let accumulator = 0;
  for (let at = 0; at * 8 < filter.length; at += 1) {
    const code = filter.readUInt16LE(at * 8);
    const value = filter.readUInt32LE(at * 8 + 4);
    const jump = (yes: boolean): number => filter.readUInt8(at * 8 + (yes ? 2 : 3));
    if (code === 0x20) accumulator = data.readUInt32LE(value);
    else if (code === 0x15) at += jump(accumulator === value);
    else if (code === 0x35) at += jump(accumulator >= value);
    else if (code === 0x45) at += jump((accumulator & value) !== 0);
    else if (code === 0x06)
      return value === 0x7fff0000 ? "allow" : value === 0x80000000 ? "kill" : value & 0xffff;
    else throw new Error(`a step that the kernel does not know: ${code}`);
  }
  throw new Error("the program has no end");
}

test.each(Object.entries(machines))(
  "%s: refuses the ways out, allows what programs need",
  (machine, call) => {
    const filter = seccompFilter(false, machine) ?? Buffer.alloc(0);
    const { arch } = call;
    const answer = (number: number, flags = 0) => run(filter, { number, arch, flags });
    expect([call.read, call.execve, call.chmod].map((number) => answer(number))).toEqual([
      "allow",
      "allow",
      "allow",
    ]);
    expect([call.mount, call.ptrace, call.unshare].map((number) => answer(number))).toEqual([
      EPERM,
      EPERM,
      EPERM,
    ]);
    // clone3 and io_uring_setup: their callers take the older way.
    expect([435, 425].map((number) => answer(number))).toEqual([ENOSYS, ENOSYS]);
    // A thread, a fork; a process in a new user, mount and pid namespace.
    expect([0x003d0f00, 0x01200011].map((flags) => answer(call.clone, flags))).toEqual(["allow", "allow"]);
    expect([0x10000000, 0x00020000, 0x20000011].map((flags) => answer(call.clone, flags))).toEqual([
      EPERM,
      EPERM,
      EPERM,
    ]);
    // Unix, IPv4, IPv6, netlink; VSOCK, ALG, PACKET, BLUETOOTH.
    expect([1, 2, 10, 16].map((family) => answer(call.socket, family))).toEqual(Array(4).fill("allow"));
    expect([40, 38, 17, 31].map((family) => answer(call.socket, family))).toEqual(
      Array(4).fill(EAFNOSUPPORT),
    );
    expect(run(filter, { number: call.read, arch: 0x40000003 }), "32 bit").toBe("kill");
    expect(answer(0x40000000 + call.read), "x32").toBe(ENOSYS);
  },
);

test.each(Object.entries(machines))("%s: as root, chmod only seems to work", (machine, { arch, chmod }) => {
  const filter = seccompFilter(true, machine) ?? Buffer.alloc(0);
  expect(run(filter, { number: chmod, arch })).toBe(0);
});

test("a machine whose numbers are not known has no filter", () => {
  expect(seccompFilter(true, "riscv64")).toBeUndefined();
});
