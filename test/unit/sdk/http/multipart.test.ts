// A form with files as a request's body, read back by the parser of fetch: byte for byte, in any script, as often as it is asked for, with its length.
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { expect, test } from "vitest";
import { jsonWithFiles, multipart } from "../../../../runtime/sdk/http/multipart.ts";

const bytes = Uint8Array.from({ length: 5000 }, (_, n) => (n * 31) % 256);
const open = (): Readable => Readable.from([bytes.subarray(0, 17), bytes.subarray(17)]);

test("fields and files come back as they were, and the length is true", async () => {
  const names = ["grün 🌱.bin", 'a "quoted"\r\nname.txt'];
  const files = names.map((name, n) => ({ field: `files[${n}]`, name, size: bytes.length, open }));
  const form = multipart({ "payload json": '{"text":"hé\\r\\n--"}' }, files);
  const body = await buffer(form.body);
  expect(form.headers["content-length"]).toBe(String(body.length));
  const parsed = await new Response(body, { headers: form.headers }).formData();
  expect(parsed.get("payload json")).toBe('{"text":"hé\\r\\n--"}');
  for (const [n, name] of names.entries()) {
    const file = parsed.get(`files[${n}]`) as File;
    expect(decodeURIComponent(file.name)).toBe(name);
    expect(new Uint8Array(await file.arrayBuffer())).toEqual(bytes);
  }
});

test("the body can be read again, for a request that is made again", async () => {
  const form = multipart({}, [{ field: "f", name: "a", open }]);
  expect(Buffer.compare(await buffer(form.body), await buffer(form.body))).toBe(0);
});

test("without the size of every file there is no length", () => {
  const form = multipart({}, [
    { field: "f", name: "a", size: 1, open },
    { field: "g", name: "b", open },
  ]);
  expect(form.headers).not.toHaveProperty("content-length");
});

test("a media type cannot add headers, nor a name end its field", async () => {
  const name = 'x"; name="other';
  const form = multipart({}, [{ field: "f", name, mediaType: "text/plain\r\nX-Evil: 1", open }]);
  const text = (await buffer(form.body)).toString("latin1");
  expect(text).not.toMatch(/^X-Evil/m);
  const parsed = await new Response(Buffer.from(text, "latin1"), { headers: form.headers }).formData();
  expect([...parsed.keys()]).toEqual(["f"]);
});

test("a message's JSON goes in one field, its files beside it with their names", async () => {
  const files = [
    { path: "media/abc", name: "a.txt", size: bytes.length },
    { path: "deep/b.txt", size: bytes.length },
  ];
  const form = jsonWithFiles(
    { openAttachment: open },
    "payload_json",
    { text: "hi" },
    files,
    (n) => `files[${n}]`,
  );
  const parsed = await new Response(await buffer(form.body), { headers: form.headers }).formData();
  expect(parsed.get("payload_json")).toBe('{"text":"hi"}');
  expect((parsed.get("files[0]") as File).name).toBe("a.txt");
  expect((parsed.get("files[1]") as File).name).toBe("b.txt");
});
