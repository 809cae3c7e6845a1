// SCRAM: the examples of its RFCs, and servers that are not what they say.
import { createHash, createHmac, pbkdf2Sync } from "node:crypto";
import { describe, expect, test } from "vitest";
import { Scram, scramMechanisms } from "../../../runtime/sdk/xmpp/scram.ts";

const login = { username: "user", password: "pencil" };
const base64 = (text: string): string => Buffer.from(text).toString("base64");

/** The server's side, by RFC 5802 (3), for the nonce "c": what it says of a password, and how it proves that it knows it. */
function server(password: string, { i = 4096, r = "c-and-s", salt = "salt" } = {}) {
  const first = `r=${r},s=${base64(salt)},i=${i}`;
  const proof = (final: string): string => {
    const salted = pbkdf2Sync(password, salt, i, 32, "sha256");
    const hmac = (key: Buffer, text: string): Buffer => createHmac("sha256", key).update(text).digest();
    const whole = `n=user,r=c,${first},${final.slice(0, final.lastIndexOf(",p="))}`;
    const key = hmac(salted, "Client Key");
    const signature = hmac(createHash("sha256").update(key).digest(), whole);
    expect(final).toContain(
      Buffer.from(key.map((byte, at) => byte ^ (signature[at] ?? 0))).toString("base64"),
    );
    return `v=${hmac(hmac(salted, "Server Key"), whole).toString("base64")}`;
  };
  return { first, proof };
}

async function begun(first: string): Promise<{ scram: Scram; final: string }> {
  const scram = new Scram("SCRAM-SHA-256", "c");
  expect(await scram.response(login)).toBe("n,,n=user,r=c");
  scram.challenge(first);
  return { scram, final: await scram.response(login) };
}

describe("SCRAM", () => {
  test.each([
    [
      "SCRAM-SHA-1",
      "fyko+d2lbbFgONRv9qkxdawL",
      "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
      "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
      "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
    ],
    [
      "SCRAM-SHA-256",
      "rOprNGfwEbeRWgbNEkqO",
      "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
      "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
      "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
    ],
  ] as const)("the example of the RFC: %s", async (name, nonce, challenge, final, proof) => {
    const scram = new Scram(name, nonce);
    expect(await scram.response(login)).toBe(`n,,n=user,r=${nonce}`);
    expect(await scram.challenge(challenge).response(login)).toBe(final);
    scram.finish(base64(proof));
  });

  test("the proof may come with the success, or in a challenge before it", async () => {
    const { first, proof } = server("pencil");
    const one = await begun(first);
    one.scram.finish(base64(proof(one.final)));
    const other = await begun(first);
    expect(await other.scram.challenge(proof(other.final)).response(login)).toBe("");
    other.scram.finish("");
  });

  test.each([
    ["answers another's login", { r: "d-and-s" }, "somebody else's login"],
    ["adds nothing of its own", { r: "c" }, "somebody else's login"],
    ["asks for one round", { i: 1 }, "1 rounds"],
    ["asks for a year of them", { i: 2 ** 31 }, "rounds"],
    ["asks for none", { i: Number.NaN }, "0 rounds"],
    ["has no salt", { salt: "" }, "rounds"],
  ])("a server that %s gets no proof of ours", async (_name, more, words) => {
    const scram = new Scram("SCRAM-SHA-256", "c");
    await scram.response(login);
    scram.challenge(server("pencil", more).first);
    await expect(scram.response(login)).rejects.toThrow(words);
  });

  test("a server that does not know the password is not believed, nor one that says nothing", async () => {
    const { first, proof } = server("pencil");
    const { scram, final } = await begun(first);
    const right = proof(final);
    const wrong = `v=${Buffer.alloc(32).toString("base64")}`;
    for (const said of ["", base64("v="), base64(wrong), base64(right.slice(0, -6)), "?"])
      expect(() => scram.finish(said), said).toThrow("know");
    expect(() => scram.challenge(wrong)).toThrow("know");
    expect(() => new Scram("SCRAM-SHA-256", "c").finish(base64(right))).toThrow("know");
  });

  test("a name may hold what parts the fields; each login has a nonce of its own", async () => {
    const hello = (username: string): unknown => new Scram("SCRAM-SHA-1").response({ ...login, username });
    expect(hello("a=b,c")).toMatch(/^n,,n=a=3Db=2Cc,r=[^,]{24}$/);
    expect(hello("ada")).not.toBe(hello("ada"));
  });

  test("the library makes one for each login, the strongest first, and tells of it", () => {
    const logins: Scram[] = [];
    const made = scramMechanisms((one) => logins.push(one));
    expect(made.map(({ name }) => name)).toEqual(["SCRAM-SHA-512", "SCRAM-SHA-256", "SCRAM-SHA-1"]);
    for (const { name, mech: Login } of made) expect(new Login()).toMatchObject({ name, clientFirst: true });
    expect(logins.map(({ name }) => name)).toEqual(made.map(({ name }) => name));
  });
});
