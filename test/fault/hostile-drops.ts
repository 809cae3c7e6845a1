// Drops as careless, broken and hostile programs write them: bytes, file name and time, made by fast-check from a seed. What is wrong with most of them is one
// thing in an otherwise good message, since that comes farther than noise does.
import fc from "fast-check";

export interface HostileDrop {
  /** What follows the number in its file name: bytes, not all of them UTF-8. */
  name: Buffer;
  bytes: Buffer;
  /** mtime in seconds since 1970; undefined: now. */
  mtimeS: number | undefined;
}

/** `count` drops, always the same for the same seed. Their ids hold `number`, where they are not meant to be the same. */
export function hostileDrops(seed: number, count: number): HostileDrop[] {
  return fc.sample(hostileDrop, { seed, numRuns: count }).map((drop, at) => ({
    ...drop,
    bytes: drop.bytes.includes("@@")
      ? Buffer.from(drop.bytes.toString("latin1").replaceAll("@@", String(at)), "latin1")
      : drop.bytes,
  }));
}

const text = fc.oneof(
  { weight: 4, arbitrary: fc.string({ maxLength: 20 }) },
  { weight: 2, arbitrary: fc.string({ unit: "binary", maxLength: 20 }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      "",
      "\ud800",
      "\x1b]0;owned\x07",
      "\u202egnp.exe",
      "x".repeat(5000),
      "__proto__",
      "\u0085\u2028",
    ),
  },
);

/** Texts of the form "#1e9" stand in the JSON without their quotes: numbers that JSON.stringify would not write. */
const rawNumber = fc
  .constantFrom(
    ..."9007199254740993 -12345678901234567890 1e400 -1E+309 1e308 1.5 -0 1e3 0.1e1 1700000000.123450".split(
      " ",
    ),
  )
  .map((digits) => `#${digits}`);
const unquoted = /"#(-?[0-9][0-9.eE+-]*)"/g;

const strangeTimes =
  "9999-12-31T23:59:59Z 9999-12-31T23:59:59-23:59 0000-01-01T00:00:00+23:59 2016-12-31T23:59:60Z 2026-02-30T00:00:00Z " +
  "2026-19-39T29:69:69Z 1970-01-01T00:00:00Z 2100-01-01t00:00:00.123456789z soon";

const time = fc.oneof(
  fc.constantFrom(...strangeTimes.split(" ")),
  fc
    .date({ min: new Date(0), max: new Date("2200-01-01"), noInvalidDate: true })
    .map((date) => date.toISOString()),
);

const strangePaths =
  "../secret ../../secret /etc/hostname a/../../secret ./x x/ // media/ media/../../secret nothing.txt /proc/self/environ link - beside.txt";

const path = fc.oneof(
  fc.constantFrom(
    ...strangePaths.split(" "),
    "a\0b",
    "a/".repeat(3000),
    "x".repeat(300),
    `media/${"0".repeat(64)}`,
  ),
  fc.string({ minLength: 1, maxLength: 12 }),
);

const good = fc.record(
  {
    id: fc.oneof(
      { weight: 9, arbitrary: fc.constant("m@@") },
      {
        weight: 2,
        arbitrary: fc.constantFrom(
          "same",
          "SAME",
          "other",
          "-x",
          "../x",
          "a".repeat(121),
          ".json",
          "m~1",
          "",
        ),
      },
      { weight: 1, arbitrary: rawNumber },
    ),
    conversation_id: fc.oneof(
      { weight: 12, arbitrary: fc.integer({ min: 0, max: 30 }).map((n) => `c${n}`) },
      { weight: 1, arbitrary: fc.oneof(text, rawNumber) },
    ),
    text,
    action: fc.constantFrom("message", "message", "edit", "typing", "explode"),
    format: fc.constantFrom("plain", "markdown"),
    thread_id: fc.oneof(text, rawNumber),
    target: fc.record({ platform_id: fc.oneof(text, rawNumber) }),
    not_before: time,
    expires_at: time,
    priority: fc.oneof(fc.integer({ min: -100, max: 100 }), fc.constantFrom(101, 0.5)),
    attachments: fc.array(fc.record({ path, name: text }, { requiredKeys: ["path"] }), { maxLength: 3 }),
    meta: fc.dictionary(text, fc.oneof(fc.jsonValue({ maxDepth: 3 }), rawNumber), { maxKeys: 3 }),
  },
  { requiredKeys: ["conversation_id"] },
);

const optional = [
  "id",
  "text",
  "action",
  "format",
  "thread_id",
  "target",
  "not_before",
  "expires_at",
  "priority",
  "attachments",
  "meta",
];

/** The message with few of its keys: most of the time at most one of them is at fault. */
const message = fc
  .tuple(good, fc.subarray(optional, { maxLength: 3 }))
  .map(([value, kept]) =>
    Object.fromEntries(
      Object.entries(value).filter(([key]) => key === "conversation_id" || kept.includes(key)),
    ),
  );

/** The same again and again, byte for byte. */
const repeated = fc.constantFrom(
  { id: "twice", conversation_id: "c1", text: "again" },
  { id: "twice2", conversation_id: "c2" },
);

const attempts = fc.constantFrom(0, 1, 7, 1e9, 2 ** 53 - 1, 1e21, -1, 0.5);

/** Records as if somebody had moved them back: what Spoolway wrote itself, and what only looks like it. */
const record = fc
  .record(
    {
      record: fc.constantFrom("dead_letter", "retry", "receipt"),
      version: fc.constant(1),
      id: fc.constantFrom("r@@", "r@@", "same", "../r"),
      connector: fc.constantFrom("one", "two", "../x"),
      attempts,
      budget_used: attempts,
      failed_at: time,
      due_at: time,
      code: text,
      error: text,
      drop: fc.constant("@@-moved back.json"),
      content_sha256: fc.constant("h@@"),
      history: fc.array(
        fc.record({
          attempt: fc.constant(1),
          started_at: time,
          fate: fc.constantFrom("retry", "reject"),
          counted: fc.boolean(),
        }),
        { maxLength: 2 },
      ),
      message,
    },
    { requiredKeys: ["record", "version", "id", "connector", "attempts", "drop", "content_sha256"] },
  )
  .map(onlyItsKeys);

function onlyItsKeys(value: Record<string, unknown> & { record: string }): Record<string, unknown> {
  const {
    failed_at = "2026-01-01T00:00:00Z",
    due_at = "2026-01-01T00:00:00Z",
    budget_used = 0,
    code = "x",
    error = "y",
    ...rest
  } = value;
  if (value.record === "retry") return { ...rest, due_at, budget_used };
  return { ...rest, failed_at, code, error };
}

const json = fc
  .tuple(
    fc.oneof(
      { weight: 1, arbitrary: repeated },
      { weight: 12, arbitrary: message },
      { weight: 2, arbitrary: record },
      { weight: 2, arbitrary: fc.jsonValue() as fc.Arbitrary<object> },
    ),
    fc.constantFrom(undefined, undefined, " ", "\t"),
  )
  .map(([value, indent]) => JSON.stringify(value, null, indent).replaceAll(unquoted, "$1"));

const spoiled: fc.Arbitrary<Buffer> = fc
  .tuple(json, fc.nat(), fc.nat(255), fc.nat(13))
  .map(([good, at, byte, how]) => {
    const bytes = Buffer.from(good);
    const cut = at % Math.max(1, bytes.length);
    const [head, tail] = [bytes.subarray(0, cut), bytes.subarray(cut)];
    switch (how) {
      case 0:
      case 1:
        return head;
      case 2:
        return Buffer.concat([head, Buffer.from([byte]), tail.subarray(1)]);
      case 3:
        return Buffer.concat([head, Buffer.from([byte, byte ^ 0x80]), tail]);
      case 4:
        return Buffer.concat([bytes, Buffer.from("\n"), bytes]);
      case 5:
        return Buffer.from(`\ufeff${good}`, "utf16le");
      case 6:
        return Buffer.from(`\ufeff${good}\r\n`);
      case 7:
        return Buffer.from(good, "latin1");
      case 8:
        return Buffer.concat([head, Buffer.from([0]), tail]);
      case 9:
        return Buffer.from(good.replace("{", '{"text":"twice",'));
      case 10:
        return Buffer.from(good.replace(/\}$/, ',"meta":{"__proto__":{"isAdmin":true}}}'));
      case 11:
        return Buffer.from(
          good.replace(/\}$/, `,"meta":{"a":${"[".repeat(at % 200)}${"]".repeat(at % 200)}}}`),
        );
      case 12:
        return Buffer.concat([bytes, Buffer.alloc(at % 5000, " ")]);
      default:
        return bytes.reverse();
    }
  });

const name = fc.oneof(
  { weight: 6, arbitrary: fc.string({ maxLength: 12 }).map((one) => Buffer.from(one)) },
  { weight: 2, arbitrary: fc.string({ unit: "binary", maxLength: 20 }).map((one) => Buffer.from(one)) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 20 }).map((one) => Buffer.from(one)) },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom(
        ...[
          "\n",
          "-rf",
          "..",
          ".tmp",
          "~",
          "\x1b[2J",
          "é",
          "e\u0301",
          "€".repeat(70),
          "x".repeat(230),
          "$(id)",
          "a b",
        ],
      )
      .map((one) => Buffer.from(one)),
  },
);

const hostileDrop: fc.Arbitrary<HostileDrop> = fc.record({
  name: name.map((bytes) => Buffer.from(bytes.filter((byte) => byte !== 0x2f && byte !== 0))),
  bytes: fc.oneof(
    { weight: 5, arbitrary: json.map((one) => Buffer.from(one)) },
    { weight: 4, arbitrary: spoiled },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)) },
  ),
  mtimeS: fc.constantFrom(
    undefined,
    undefined,
    undefined,
    0,
    -1,
    0.5,
    2 ** 31,
    2 ** 32 + 5,
    4102444800,
    9e15,
    -9e15,
  ),
});
