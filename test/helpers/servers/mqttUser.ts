// A user of an MQTT broker by mosquitto's own programs, which know nothing of our code: mosquitto_pub to say something, mosquitto_sub to see what everybody says.
import { type ChildProcess, spawn } from "node:child_process";
import { spawnTethered } from "../../../runtime/process.ts";
import { endChild, exited, track } from "../children.ts";
import { waitFor } from "../wait.ts";

export interface Login {
  port: number;
  username: string;
  password: string;
  clientId?: string;
}

export interface Publish {
  topic: string;
  payload: string | Uint8Array;
  /** Default 1. */
  qos?: 0 | 1 | 2;
  retain?: boolean;
  /** As mosquitto_pub names them: [["user-property", "a", "b"], ["content-type", "text/plain"]]. */
  properties?: string[][];
}

export interface Seen {
  topic: string;
  qos: number;
  retain: boolean;
  contentType: string;
  correlation: string;
  responseTopic: string;
  /** Seconds until it expires; undefined where it does not. */
  expiryS: number | undefined;
  /** "name:value name:value" */
  userProperties: string;
  bytes: Buffer;
}

const login = ({ port, username, password, clientId }: Login): string[] => [
  ...["-V", "5", "-h", "127.0.0.1", "-p", `${port}`, "-u", username, "-P", password],
  ...(clientId === undefined ? [] : ["-i", clientId]),
];

/** Resolves when the broker has it. */
export async function publishAs(user: Login, message: Publish): Promise<void> {
  const { topic, payload, qos = 1, retain = false, properties = [] } = message;
  const options = properties.flatMap((property) => ["-D", "publish", ...property]);
  const args = [...login(user), "-t", topic, "-q", `${qos}`, "-s", ...(retain ? ["-r"] : []), ...options];
  const child = spawn("mosquitto_pub", args, { stdio: ["pipe", "ignore", "pipe"] });
  track(child.pid, "mosquitto_pub");
  let words = "";
  child.stderr.on("data", (chunk: Buffer) => (words += chunk.toString()));
  child.stdin.on("error", () => undefined); // it ended before it read all: its exit code says so
  child.stdin.end(payload);
  const { code } = await exited(child);
  if (code !== 0 || words !== "") throw new Error(`mosquitto_pub: exit code ${code}: ${words}`);
}

/** Sees everything, also what was said while the broker or it was away: its session is kept. */
export class Observer {
  readonly seen: Seen[] = [];
  readonly #user: Login;
  #child: ChildProcess | undefined;
  #marks = 0;

  constructor(user: Login) {
    this.#user = user;
  }

  /** Resolves when it sees what is said. */
  async start(): Promise<void> {
    const format = ["%t", "%q", "%r", "%C", "%D", "%R", "%E", "%P", "%x"].join("\\t");
    const args = [...login(this.#user), "-c", "-i", "observer", "-q", "2", "-t", "#", "-F", format];
    const child = spawnTethered("mosquitto_sub", args, { stdio: ["ignore", "pipe", "ignore"] });
    track(child.pid, "mosquitto_sub");
    this.#child = child;
    let rest = "";
    child.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop() ?? "";
      this.seen.push(...lines.map(parse));
    });
    await this.catchUp();
  }

  /** Resolves when it has seen all that was said before this call. */
  async catchUp(): Promise<void> {
    const mark = `mark ${(this.#marks += 1)}`;
    const sees = async (): Promise<boolean> => {
      await publishAs(this.#user, { topic: "observer/marks", payload: mark });
      return this.seen.some(({ bytes }) => bytes.toString() === mark);
    };
    await waitFor(sees, { timeoutMs: 30_000, everyMs: 50, message: "the observer to see its own mark" });
  }

  async stop(): Promise<void> {
    if (this.#child) await endChild(this.#child, "SIGTERM");
  }
}

function parse(line: string): Seen {
  const [
    topic = "",
    qos,
    retain,
    contentType = "",
    correlation = "",
    responseTopic = "",
    expiry = "",
    userProperties = "",
    hex = "",
  ] = line.split("\t");
  const bytes = Buffer.from(hex, "hex");
  return {
    topic,
    qos: Number(qos),
    retain: retain === "1",
    contentType,
    correlation,
    responseTopic,
    expiryS: expiry === "" ? undefined : Number(expiry),
    userProperties,
    bytes,
  };
}
