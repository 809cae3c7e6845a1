// spoolway/sdk/xmpp/scram: SCRAM (RFC 5802, RFC 7677), in the shape that @xmpp/client wants of its SASL mechanisms. The library's own asks WebCrypto twice for each of some ten thousand rounds, a
// second of processor time for a login, and believes any server: here Node computes, and the server has to prove that it knows the password too.
//
//   response ─▶ challenge ─▶ response ─▶ success (or challenge ─▶ response ─▶ success), with the server's proof in the last of them
import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";
import { stop } from "../../sdk.ts";

const hashes = { "SCRAM-SHA-512": "sha512", "SCRAM-SHA-256": "sha256", "SCRAM-SHA-1": "sha1" } as const;
type Name = keyof typeof hashes;

/** The least that RFC 7677 (4) allows: with fewer rounds whoever hears them may guess the password. */
const roundsMin = 4096;
/** Seconds: what asks for more keeps us busy. */
const roundsMax = 10_000_000;

const strangerHint =
  "Something may stand between us and the server: check server and port, and do not set tls: false outside of your own machine.";

/** Best first. `begun` is told of each login: who hears of its success asks it to `finish`. */
export function scramMechanisms(begun: (login: Scram) => void): Array<{ name: Name; mech: new () => Scram }> {
  return (Object.keys(hashes) as Name[]).map((name) => {
    class Login extends Scram {
      constructor() {
        super(name);
        begun(this);
      }
    }
    return { name, mech: Login };
  });
}

export class Scram {
  readonly clientFirst = true;
  readonly name: Name;
  readonly #nonce: string;
  #first = "";
  #challenge = "";
  /** What the server's proof has to be. */
  #expected: Buffer | undefined;
  #isProven = false;

  /** `nonce`: printable, without commas. */
  constructor(name: Name, nonce = randomBytes(18).toString("base64")) {
    this.name = name;
    this.#nonce = nonce;
  }

  /** What the client says next. */
  response(login: { username: string; password: string }): string | Promise<string> {
    if (this.#first === "") {
      const username = login.username.replaceAll("=", "=3D").replaceAll(",", "=2C");
      this.#first = `n=${username},r=${this.#nonce}`;
      return `n,,${this.#first}`;
    }
    return this.#isProven ? "" : this.#prove(login.password);
  }

  /** What the server says. Throws `stop`. */
  challenge(text: string): this {
    if (this.#expected === undefined) this.#challenge = text;
    else this.#believe(text);
    return this;
  }

  /** The login has succeeded, says the server; `proof` as it stands in <success>, base64. Throws `stop` when it does not know the password. */
  finish(proof: string): void {
    if (proof !== "") this.#believe(Buffer.from(proof, "base64").toString());
    if (!this.#isProven)
      throw strange("says that we are logged in, and does not prove that it knows the password");
  }

  async #prove(password: string): Promise<string> {
    const { r: nonce = "", s: salt = "", i = "", m: extension } = fields(this.#challenge);
    const rounds = /^\d{1,9}$/.test(i) ? Number(i) : 0;
    if (extension !== undefined) throw strange("wants an extension of SCRAM that nobody has defined");
    if (!nonce.startsWith(this.#nonce) || nonce.length === this.#nonce.length)
      throw strange("answered somebody else's login");
    if (salt === "" || rounds < roundsMin || rounds > roundsMax)
      throw strange(`asks for ${rounds} rounds of SCRAM, not ${roundsMin} to ${roundsMax}`);
    const hash = hashes[this.name];
    const hmac = (key: Buffer, text: string): Buffer => createHmac(hash, key).update(text).digest();
    const length = createHash(hash).digest().length;
    // NFKC is the part of SASLprep (RFC 4013) that changes what people type.
    const salted = await promisify(pbkdf2)(
      password.normalize("NFKC"),
      Buffer.from(salt, "base64"),
      rounds,
      length,
      hash,
    );
    const final = `c=biws,r=${nonce}`;
    const whole = `${this.#first},${this.#challenge},${final}`;
    const key = hmac(salted, "Client Key");
    const signature = hmac(createHash(hash).update(key).digest(), whole);
    this.#expected = hmac(hmac(salted, "Server Key"), whole);
    const proof = key.map((byte, at) => byte ^ (signature[at] ?? 0));
    return `${final},p=${Buffer.from(proof).toString("base64")}`;
  }

  #believe(text: string): void {
    const proof = Buffer.from(fields(text).v ?? "", "base64");
    const expected = this.#expected ?? Buffer.alloc(0);
    if (expected.length === 0 || proof.length !== expected.length || !timingSafeEqual(proof, expected))
      throw strange("does not know the password that it says is right");
    this.#isProven = true;
  }
}

/** `a=…,b=…`: values may hold any =, and no comma. */
function fields(text: string): Record<string, string | undefined> {
  return Object.fromEntries(text.split(",").map((field) => [field.slice(0, 1), field.slice(2)]));
}

const strange = (what: string): Error => stop(`the server ${what}`, strangerHint);
