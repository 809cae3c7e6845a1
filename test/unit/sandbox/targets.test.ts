// Hosts, patterns and classes of addresses, against what the standards say of them, written down here a second time and in another way.
import { BlockList, isIP, SocketAddress } from "node:net";
import { networkInterfaces } from "node:os";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { whyNotPublic } from "../../../runtime/sandbox/addresses.ts";
import { Allowlist } from "../../../runtime/sandbox/allowlist.ts";
import {
  addressBytes,
  hostText,
  parseHost,
  parsePattern,
  parseTarget,
  TargetError,
  targetText,
} from "../../../runtime/sandbox/targets.ts";

const seed = Number(process.env.SPOOLWAY_TEST_SEED ?? 20260101);
const runs = { seed, numRuns: 3000 };

const ipv4 = fc.ipV4();
const number4 = (address: string): number => addressBytes(address).reduce((sum, byte) => sum * 256 + byte, 0);
const text4 = (value: number): string =>
  [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join(".");

/** IANA IPv4 Special-Purpose Address Registry, first and last address, of what is not "globally reachable"; multicast and class E. And Azure's platform address. */
const special4: Array<[string, string]> = [
  ["0.0.0.0", "0.255.255.255"],
  ["10.0.0.0", "10.255.255.255"],
  ["100.64.0.0", "100.127.255.255"],
  ["127.0.0.0", "127.255.255.255"],
  ["168.63.129.16", "168.63.129.16"],
  ["169.254.0.0", "169.254.255.255"],
  ["172.16.0.0", "172.31.255.255"],
  ["192.0.0.0", "192.0.0.255"],
  ["192.0.2.0", "192.0.2.255"],
  ["192.88.99.0", "192.88.99.255"],
  ["192.168.0.0", "192.168.255.255"],
  ["198.18.0.0", "198.19.255.255"],
  ["198.51.100.0", "198.51.100.255"],
  ["203.0.113.0", "203.0.113.255"],
  ["224.0.0.0", "255.255.255.255"],
];

const isSpecial4 = (value: number): boolean =>
  special4.some(([first, last]) => number4(first) <= value && value <= number4(last));

describe("an IPv4 address", () => {
  test("is public when it lies in no special block: at every border, one before and one behind it", () => {
    for (const border of special4.flat().map(number4)) {
      for (const value of [border - 1, border, border + 1].filter((one) => one >= 0 && one < 2 ** 32))
        expect([text4(value), whyNotPublic(text4(value)) !== undefined]).toEqual([
          text4(value),
          isSpecial4(value),
        ]);
    }
  });

  test("is public when it lies in no special block: anywhere", () => {
    fc.assert(
      fc.property(ipv4, (address) => {
        expect(whyNotPublic(address) !== undefined).toBe(isSpecial4(number4(address)));
      }),
      runs,
    );
  });

  test("in any of the forms of IPv6 that stand for it is never public, be it itself public or not", () => {
    fc.assert(
      fc.property(ipv4, (address) => {
        const hex = addressBytes(address).map((byte) => byte.toString(16).padStart(2, "0"));
        const words = `${hex[0]}${hex[1]}:${hex[2]}${hex[3]}`;
        const forms = [
          ...[`::ffff:${address}`, `::ffff:${words}`, `::ffff:0:${words}`, `::${words}`, `64:ff9b::${words}`],
          ...[`64:ff9b:1::${words}`, `2002:${words}::1`, `2001:0:${words}::`, `2001:0:1:2:3:4:${words}`],
        ];
        for (const form of forms) expect([form, whyNotPublic(form) !== undefined]).toEqual([form, true]);
      }),
      { ...runs, numRuns: 500 },
    );
  });
});

/** An address as one number. */
const number6 = (address: string): bigint =>
  addressBytes(address).reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);
const text6 = (value: bigint): string =>
  Array.from({ length: 8 }, (_, at) => ((value >> BigInt(112 - at * 16)) & 0xffffn).toString(16)).join(":");

describe("an IPv6 address", () => {
  /** Blocks of 2000::/3, the global unicast space, that the registry does not call globally reachable, or that stand for IPv4 addresses. */
  const special6: Array<[string, number]> = [
    ["2001::", 23],
    ["2001:db8::", 32],
    ["2002::", 16],
    ["3fff::", 20],
  ];
  const isPublic6 = (value: bigint): boolean =>
    value >> 125n === 1n &&
    !special6.some(([first, bits]) => value >> BigInt(128 - bits) === number6(first) >> BigInt(128 - bits));

  test("is public in the global unicast space without its special blocks: at every border and anywhere", () => {
    const borders = [["2000::", 3] as const, ...special6].flatMap(([first, bits]) => {
      const start = number6(first);
      const next = start + (1n << BigInt(128 - bits));
      return [start - 1n, start, next - 1n, next];
    });
    for (const value of borders)
      expect([text6(value), whyNotPublic(text6(value)) === undefined]).toEqual([
        text6(value),
        isPublic6(value),
      ]);
    fc.assert(
      fc.property(fc.bigInt(0n, (1n << 128n) - 1n), fc.boolean(), (any, inSpace) => {
        const value = inSpace ? (any >> 3n) | (1n << 125n) : any;
        expect(whyNotPublic(text6(value)) === undefined).toBe(isPublic6(value));
      }),
      runs,
    );
  });

  test.each(["fe80::1%eth0", "", "1.2.3", "example.org", "0x7f.1"])("is not what %j is", (text) => {
    expect(whyNotPublic(text)).toBe("no address");
  });
});

test("an address of this machine is not public, whatever block it is in", () => {
  const has = (address: string, family: "IPv4" | "IPv6") => ({
    eth0: [{ address, family, netmask: "", mac: "", internal: false, cidr: null, scopeid: 0 }],
  });
  expect(whyNotPublic("8.8.8.8", has("8.8.8.8", "IPv4"))).toBe("this machine's own");
  expect(whyNotPublic("8.8.4.4", has("8.8.8.8", "IPv4"))).toBeUndefined();
  expect(whyNotPublic("2600::1", has("2600:0::1", "IPv6"))).toBe("this machine's own");
  for (const { address } of Object.values(networkInterfaces()).flatMap((all) => all ?? []))
    expect(whyNotPublic(address)).toBeDefined();
});

const label = fc.stringMatching(/^[a-z][a-z0-9-]{0,8}[a-z0-9]$/);
const name = fc
  .array(label, { minLength: 2, maxLength: 4 })
  .map((labels) => labels.join("."))
  .filter((one) => !one.endsWith("localhost"));
const port = fc.integer({ min: 1, max: 65_535 });

describe("a host", () => {
  test("has one spelling, whatever case it is written in", () => {
    fc.assert(
      fc.property(name, fc.infiniteStream(fc.boolean()), fc.boolean(), (one, upper, dot) => {
        const written = [...one]
          .map((letter) => (upper.next().value ? letter.toUpperCase() : letter))
          .join("");
        expect(hostText(parseHost(written + (dot ? "." : "")))).toBe(one);
      }),
      runs,
    );
  });

  test("that any resolver could take for an IPv4 address is that address in four numbers, or refused", () => {
    const part = fc.oneof(
      fc.nat(300).map(String),
      fc.nat(300).map((n) => `0x${n.toString(16)}`),
      fc.nat(300).map((n) => `0${n.toString(8)}`),
      fc.nat().map(String),
    );
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 5 }), (parts) => {
        const text = parts.join(".");
        const url = URL.canParse(`http://${text}/`) ? new URL(`http://${text}/`).hostname : undefined;
        if (isIP(text) === 4) expect(hostText(parseHost(text))).toBe(url);
        else expect(() => parseHost(text)).toThrow(TargetError);
      }),
      runs,
    );
  });

  test("and a port are read back as they are written, and anything else is refused, never misread", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          name,
          ipv4,
          fc.ipV6().map((one) => `[${one}]`),
        ),
        port,
        (host, at) => {
          const target = parseTarget(`${host}:${at}`);
          expect(targetText(parseTarget(targetText(target)))).toBe(targetText(target));
          expect(target.port).toBe(at);
        },
      ),
      runs,
    );
    const piece = fc.constantFrom(
      ...[
        "a",
        "B",
        "c.example",
        "127.0.0.1",
        "0x7f",
        "1",
        "[::1]",
        "[FD00:0::A]",
        "localhost",
        "xn--gd-fka",
        "_x",
        "-",
      ],
      ...[
        ".",
        ".",
        ":",
        ":80",
        ":80",
        "@",
        "#",
        "?",
        "/",
        "\\",
        "%41",
        "*",
        " ",
        "\0",
        "\n",
        "é",
        "。",
        "٣",
        "[",
        "]",
      ],
    );
    let understood = 0;
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 4 }), fc.boolean(), (pieces, withPort) => {
        const text = pieces.join("") + (withPort ? ":443" : "");
        let read: string;
        try {
          read = targetText(parseTarget(text));
        } catch (error) {
          expect(error).toBeInstanceOf(TargetError);
          return;
        }
        understood += 1;
        // What was read is what a URL parser reads, so that nobody can be of another opinion.
        const { host } = new URL(`x://${text}`);
        const loopback = host.replace(/^(.*\.)?localhost\.?(?=:)/i, "127.0.0.1");
        expect(loopback.replace(/\.(?=:)/, "").toLowerCase()).toBe(read);
      }),
      { ...runs, numRuns: 20_000 },
    );
    expect(understood).toBeGreaterThan(500);
  });
});

describe("a pattern", () => {
  const covers = (pattern: string, target: string): boolean => {
    const { host, port: at } = parseTarget(target);
    return new Allowlist([pattern]).covers(host, at);
  };

  test("of a name covers that name and port, and no other", () => {
    fc.assert(
      fc.property(name, name, port, port, (one, other, at, another) => {
        expect(covers(`${one}:${at}`, `${one}:${at}`)).toBe(true);
        expect(covers(`${one}:*`, `${one}:${another}`)).toBe(true);
        expect(covers(`${one}:${at}`, `${one}:${another}`)).toBe(at === another);
        expect(covers(`${one}:*`, `${other}:${at}`)).toBe(one === other);
        expect(covers(`${one}:*`, `x${one}:${at}`)).toBe(false);
        expect(covers(`${one}:*`, `${one}.x:${at}`)).toBe(false);
      }),
      runs,
    );
  });

  test("with a star covers what lies below the name, at any depth, and not the name, nor what only ends alike", () => {
    fc.assert(
      fc.property(name, name, label, port, (one, other, sub, at) => {
        expect(covers(`*.${one}:${at}`, `${sub}.${one}:${at}`)).toBe(true);
        expect(covers(`*.${one}:${at}`, `${sub}.${sub}.${one}:${at}`)).toBe(true);
        expect(covers(`*.${one}:*`, `${one}:${at}`)).toBe(false);
        expect(covers(`*.${one}:*`, `${sub}${one}:${at}`)).toBe(false);
        expect(covers(`*.${one}:*`, `${other}:${at}`)).toBe(other.endsWith(`.${one}`));
      }),
      runs,
    );
  });

  test("of a network covers its addresses, and no name and no other family", () => {
    fc.assert(
      fc.property(ipv4, fc.integer({ min: 0, max: 32 }), ipv4, port, (base, bits, other, at) => {
        const size = 2 ** (32 - bits);
        const first = Math.floor(number4(base) / size) * size;
        const pattern = `${text4(first)}/${bits}:${at}`;
        const inside = number4(other) >= first && number4(other) < first + size;
        expect(covers(pattern, `${other}:${at}`)).toBe(inside);
        expect(covers(pattern, `[::ffff:${base}]:${at}`)).toBe(false);
        expect(covers(pattern, `a.example:${at}`)).toBe(false);
        expect(new Allowlist([pattern]).whyNot(other, at) === undefined).toBe(
          inside || !isSpecial4(number4(other)),
        );
      }),
      runs,
    );
    fc.assert(
      fc.property(
        fc.bigInt(0n, (1n << 128n) - 1n),
        fc.integer({ min: 0, max: 128 }),
        fc.ipV6(),
        (base, bits, other) => {
          const shift = BigInt(128 - bits);
          const first = (base >> shift) << shift;
          const inside = number6(other) >> shift === base >> shift;
          expect(covers(`[${text6(first)}/${bits}]:*`, `[${other}]:1`)).toBe(inside);
          expect(covers(`[${text6(first)}/${bits}]:*`, "127.0.0.1:1")).toBe(false);
        },
      ),
      runs,
    );
  });

  test("without an address in it grants no private one", () => {
    for (const pattern of ["*:*", "*.example:*", "a.example:*"]) {
      const list = new Allowlist([pattern]);
      fc.assert(
        fc.property(ipv4, port, (address, at) => {
          expect(list.whyNot(address, at) === undefined).toBe(!isSpecial4(number4(address)));
        }),
        { ...runs, numRuns: 300 },
      );
    }
  });

  test.each([
    "",
    "a.example",
    ":80",
    "a.example:",
    "*",
    "*.:80",
    "**.a.example:80",
    "a.*.example:80",
    "*a.example:80",
    "10.0.0.1/8:80",
    "10.0.0.0/33:80",
    "fd00::/8:80",
    "[fd00::]/8:80",
    "http://a.example:80",
    "a.example:80-90",
    "a b:80",
  ])("is not what %j is", (text) => {
    expect(() => parsePattern(text)).toThrow(TargetError);
  });
});

test("the bytes of an address are those of the system's own parser", () => {
  fc.assert(
    fc.property(fc.ipV6(), (address) => {
      const canonical = new SocketAddress({ address, family: "ipv6" }).address;
      const list = new BlockList();
      list.addAddress(text6(number6(address)), "ipv6");
      expect([list.check(address, "ipv6"), number6(canonical)]).toEqual([true, number6(address)]);
    }),
    runs,
  );
});
