// The frames of the channel arrive whole, in order and byte for byte, however the socket cuts them.
import { Duplex } from "node:stream";
import fc from "fast-check";
import { expect, test } from "vitest";
import { Channel, maxChunkBytes } from "../../../runtime/sandbox/frames.ts";

type Sent = { message: unknown } | { stream: number; bytes: Uint8Array };

/** What the channel wrote. */
function written(frames: readonly Sent[]): Buffer {
  const out: Buffer[] = [];
  const socket = new Duplex({
    read: () => undefined,
    write: (bytes: Buffer, _encoding, done) => {
      out.push(bytes);
      done();
    },
  });
  const channel = new Channel(socket, { message: nothing, chunk: nothing, closed: nothing });
  for (const frame of frames) {
    if ("message" in frame) channel.send({ message: frame.message });
    else channel.sendChunk(frame.stream, frame.bytes);
  }
  return Buffer.concat(out);
}

/** What a channel makes of these bytes, given in pieces of these sizes, the last one as often as it takes. */
function read(bytes: Buffer, sizes: readonly number[]): { frames: Sent[]; violation: string | undefined } {
  const frames: Sent[] = [];
  let violation: string | undefined;
  const socket = new Duplex({ read: () => undefined, write: (_bytes, _encoding, done) => done() });
  new Channel(socket, {
    message: (text) => void frames.push(JSON.parse(text.toString("utf8")) as Sent),
    chunk: (stream, piece) => void frames.push({ stream, bytes: new Uint8Array(piece) }),
    closed: (why) => (violation = why),
  });
  for (let at = 0, n = 0; at < bytes.length; n += 1) {
    const size = sizes[Math.min(n, sizes.length - 1)] ?? 1;
    socket.emit("data", bytes.subarray(at, at + size));
    at += size;
  }
  return { frames, violation };
}

const frame: fc.Arbitrary<Sent> = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }).map((value) => ({ message: JSON.parse(JSON.stringify(value)) as unknown })),
  fc.record({ stream: fc.nat(2 ** 32 - 1), bytes: fc.uint8Array({ minLength: 1, maxLength: 300 }) }),
);

test("they come through any cut", () => {
  fc.assert(
    fc.property(
      fc.array(frame, { maxLength: 12 }),
      fc.array(fc.integer({ min: 1, max: 64 }), { minLength: 1, maxLength: 20 }),
      (frames, sizes) => {
        expect(read(written(frames), sizes)).toEqual({ frames, violation: undefined });
      },
    ),
    { numRuns: 500 },
  );
});

test("garbage ends the channel or is waited for, and never throws", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 5, maxLength: 200 }),
      fc.integer({ min: 1, max: 50 }),
      (bytes, size) => {
        const whole = Buffer.from(bytes);
        whole.writeUInt8(3 + ((whole[4] ?? 0) % 250), 4); // no kind that there is
        expect(read(whole, [size])).toMatchObject({ frames: [], violation: expect.any(String) as string });
      },
    ),
    { numRuns: 500 },
  );
});

test("the largest piece fits, one byte more does not", () => {
  const largest = { stream: 1, bytes: new Uint8Array(maxChunkBytes).fill(7) };
  expect(read(written([largest]), [65_536])).toEqual({ frames: [largest], violation: undefined });
  const larger = { stream: 1, bytes: new Uint8Array(maxChunkBytes + 1) };
  expect(read(written([larger]), [65_536])).toMatchObject({
    frames: [],
    violation: expect.any(String) as string,
  });
});

function nothing(): void {}
