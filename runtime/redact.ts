// Keeps secrets out of whatever is logged: known values wherever they stand in a string, and everything under a key that names a secret.

const mark = "[redacted]";
const secretKey = /passw|passphrase|secret|token|authorization|credential|api_?key|cookie/i;
const maxDepth = 8;
const maxItems = 200;

export class Redactor {
  private readonly values = new Set<string>();
  private pattern: RegExp | undefined;

  /** Values that are never shown from now on. They are not forgotten when the configuration changes: an old process may still print them. */
  add(secrets: readonly string[]): void {
    for (const secret of secrets) {
      for (const form of forms(secret)) this.values.add(form);
    }
    // Longest first, so that a secret that contains another one goes as a whole.
    const alternatives = [...this.values]
      .sort((a, b) => b.length - a.length)
      .map((value) => RegExp.escape(value));
    this.pattern = alternatives.length === 0 ? undefined : new RegExp(alternatives.join("|"), "g");
  }

  text(text: string): string {
    return this.pattern === undefined ? text : text.replace(this.pattern, mark);
  }

  /** For a text whose end was cut off: also the beginning of a secret that the cut went through. */
  cutText(text: string): string {
    const clean = this.text(text);
    for (const value of this.values) {
      for (let length = Math.min(value.length - 1, clean.length); length >= 4; length--) {
        if (clean.endsWith(value.slice(0, length))) return clean.slice(0, -length) + mark;
      }
    }
    return clean;
  }

  /** A copy that is safe to log: of limited depth, errors as objects, bytes as their count. */
  fields(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
    return this.record(fields, 0);
  }

  private record(record: object, depth: number): Record<string, unknown> {
    const entries = Object.entries(record).slice(0, maxItems);
    return Object.fromEntries(
      entries.map(([key, value]) => [
        this.text(key),
        secretKey.test(key) ? hide(value) : this.value(value, depth),
      ]),
    );
  }

  private value(value: unknown, depth: number): unknown {
    if (typeof value === "string") return this.text(value);
    if (typeof value === "bigint") return value.toString();
    if (typeof value !== "object" || value === null) return value;
    if (value instanceof Date) return value;
    if (ArrayBuffer.isView(value)) return `<${value.byteLength} bytes>`;
    if (depth >= maxDepth) return "…";
    if (Array.isArray(value)) return value.slice(0, maxItems).map((item) => this.value(item, depth + 1));
    if (value instanceof Error) return this.record(errorFields(value), depth + 1);
    return this.record(value, depth + 1);
  }
}

/** A secret as it may be printed: as it is, inside JSON, in a URL, and line by line where it has several. */
function forms(secret: string): string[] {
  const lines = secret.split(/\r?\n/).filter((line) => line.trim().length >= 8);
  const whole = [secret, secret.trim()];
  const plain = [...whole, ...(lines.length > 1 ? lines : [])].filter((text) => text !== "");
  return plain.flatMap((text) => [
    text,
    JSON.stringify(text).slice(1, -1),
    encodeURIComponent(text.toWellFormed()),
  ]);
}

const hide = (value: unknown): unknown =>
  value === undefined || value === null || typeof value === "boolean" ? value : mark;

function errorFields(error: Error): Record<string, unknown> {
  const { name, message, stack } = error;
  const cause = error.cause === undefined ? {} : { cause: error.cause };
  return { ...error, name, message, stack, ...cause };
}
