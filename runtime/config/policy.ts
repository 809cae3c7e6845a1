// config/policy.yml → what each connector was granted, and every mistake in it, each in its place. An absent file grants nothing.
//
//   connectors:
//     irc-main:
//       network: [irc.example.org:6697]
//
// A mistake belongs to the connector under whose name it stands; one around them makes the file unusable, and with it every connector that needs it.
import { join } from "node:path";
import { checkPolicyEntry } from "../../schema/validators/config.js";
import { parsePattern, parseTarget, TargetError, targetText } from "../sandbox/targets.ts";
import { parseSource } from "./document.ts";
import { checkGrantedPath } from "./granted-paths.ts";
import type { ConfigProblem } from "./model.ts";
import { maxConfigBytes, readText } from "./read.ts";
import { SourceFile, type Finding } from "./source.ts";
import { didYouMean } from "./suggest.ts";
import { strangeKey, type MapNode, type Node, type ScalarNode } from "./tree.ts";
import { checkNode } from "./validate.ts";
import { describe } from "./wording.ts";

/** What stands under a connector's name, checked, in its one spelling. */
export interface PolicyEntry {
  network: string[];
  listen: string[];
  read: string[];
  write: string[];
}

export const emptyEntry: Readonly<PolicyEntry> = Object.freeze({
  network: [],
  listen: [],
  read: [],
  write: [],
});

interface Placed {
  entry: PolicyEntry;
  findings: Finding[];
  keyStart: number;
}

export const policyFile = "config/policy.yml";

export class Policy {
  /** Absolute. */
  readonly file: string;
  /** What makes the file unusable. */
  readonly problems: ConfigProblem[];
  readonly #source: SourceFile | undefined;
  readonly #entries: ReadonlyMap<string, Placed>;

  constructor(
    file: string,
    problems: ConfigProblem[],
    source?: SourceFile,
    entries = new Map<string, Placed>(),
  ) {
    this.file = file;
    this.problems = problems;
    this.#source = source;
    this.#entries = entries;
  }

  /** What the connector was granted; empty where it is not mentioned. */
  entryOf(name: string): PolicyEntry {
    return this.#entries.get(name)?.entry ?? emptyEntry;
  }

  /** What is wrong with its grants. Where it `applies`, they disable the connector, else they are only said. */
  problemsOf(name: string, applies: boolean): ConfigProblem[] {
    const findings = this.#entries.get(name)?.findings ?? [];
    return this.#placed(findings, applies ? name : undefined);
  }

  /** `sandboxed`: for each name in connectors.yml, whether it runs in the sandbox; undefined where that is not known. Grants of others hold nobody. */
  warnings(sandboxed: ReadonlyMap<string, boolean | undefined>): ConfigProblem[] {
    const names = [...sandboxed.keys()];
    return [...this.#entries].flatMap(([name, { keyStart }]) => {
      if (!sandboxed.has(name)) {
        const message = `no connector is called \`${name}\``;
        return this.#placed([{ offset: keyStart, message, hint: didYouMean(name, names, "connectors") }]);
      }
      if (sandboxed.get(name) !== false) return [];
      const message = `\`${name}\` does not run in the sandbox: what is granted here does not hold it`;
      return this.#placed([
        { offset: keyStart, message, hint: "Set in connectors.yml: runtime: { sandbox: true }" },
      ]);
    });
  }

  /** Of connectors that connectors.yml does not have. */
  problemsOfOthers(names: ReadonlySet<string>): ConfigProblem[] {
    return [...this.#entries.keys()]
      .filter((name) => !names.has(name))
      .flatMap((name) => this.problemsOf(name, false));
  }

  #placed(findings: readonly Finding[], connector?: string): ConfigProblem[] {
    return findings.flatMap((finding) => this.#source?.problem(finding, connector) ?? []);
  }
}

/** Never throws for what people wrote. */
export async function readPolicy(home: string): Promise<Policy> {
  const file = join(home, policyFile);
  const text = await readText(file, maxConfigBytes);
  if (typeof text !== "string") {
    if (text.missing) return new Policy(file, []);
    return new Policy(file, [
      { file: policyFile, line: 0, column: 0, message: text.message, hint: text.hint },
    ]);
  }
  const source = new SourceFile(policyFile, text);
  const { root, syntax, findings } = parseSource(source);
  const general = [...syntax, ...findings.filter(({ path }) => path.length < 2)];
  const list = general.length > 0 || root === undefined ? undefined : findEntries(root, source);
  general.push(...(list?.findings ?? []));
  if (general.length > 0)
    return new Policy(
      file,
      general.map((finding) => source.problem(finding)),
    );
  const entries = new Map<string, Placed>();
  for (const [name, { node, keyStart }] of list?.map?.entries ?? []) {
    const own = findings.filter(({ path }) => path[1] === name);
    const read = await readEntry(node, name, home, source);
    entries.set(name, { keyStart, entry: read.entry, findings: [...own, ...read.findings] });
  }
  return new Policy(file, [], source, entries);
}

const example = "Write e.g.\nconnectors:\n  irc-main:\n    network: [irc.example.org:6697]";

function findEntries(root: Node, source: SourceFile): { map?: MapNode; findings: Finding[] } {
  if (root.kind === "scalar" && root.value === null) return { findings: [] };
  if (root.kind !== "map")
    return {
      findings: [
        {
          offset: root.start,
          message: `found ${describe(root, false)}, expected the key \`connectors\``,
          hint: example,
        },
      ],
    };
  const findings: Finding[] = [...root.entries].flatMap(([key, { keyStart }]) =>
    key === "connectors"
      ? []
      : [
          {
            offset: keyStart,
            message: `unknown key \`${strangeKey(root, key, source)}\``,
            hint: didYouMean(key, ["connectors"], "the only key here"),
          },
        ],
  );
  const node = root.entries.get("connectors")?.node;
  if (node === undefined || (node.kind === "scalar" && node.value === null)) return { findings };
  if (node.kind === "map") return { map: node, findings };
  const message = `\`connectors\` is ${describe(node, false)}, expected the names of connectors, each with what it is granted`;
  return { findings: [...findings, { offset: node.start, message, hint: example }] };
}

async function readEntry(
  node: Node,
  name: string,
  home: string,
  source: SourceFile,
): Promise<{ entry: PolicyEntry; findings: Finding[] }> {
  const entry: PolicyEntry = { network: [], listen: [], read: [], write: [] };
  if (node.kind === "scalar" && node.value === null) return { entry, findings: [] };
  if (node.kind !== "map") {
    const message = `\`${name}\` is ${describe(node, false)}, expected a group of network, listen, read and write`;
    return { entry, findings: [{ offset: node.start, message, hint: example }] };
  }
  const { findings } = checkNode(checkPolicyEntry, node, source, `connectors.${name}`);
  if (findings.length > 0) return { entry, findings };
  const readers: Record<keyof PolicyEntry, (text: string) => string | Promise<string>> = {
    network: (text) => parsePattern(text).text,
    listen: readListen,
    read: (text) => checkGrantedPath(home, text),
    write: (text) => checkGrantedPath(home, text),
  };
  for (const key of ["network", "listen", "read", "write"] as const) {
    const at = node.entries.get(key)?.node;
    for (const item of at?.kind === "list" ? at.items : []) {
      try {
        entry[key].push(await readers[key](String((item as ScalarNode).value)));
      } catch (error) {
        if (!(error instanceof TargetError)) throw error;
        findings.push({
          offset: item.start,
          message: `\`connectors.${name}.${key}\`: ${error.message}`,
          hint: error.hint,
        });
      }
    }
  }
  return { entry, findings };
}

/** Inside the sandbox it is all one to the connector: what it listens on there is passed on by port. Throws TargetError. */
const listenAddresses = ["127.0.0.1", "0.0.0.0", "::"];

/** "8787" or "0.0.0.0:8787" → "127.0.0.1:8787", "0.0.0.0:8787". Throws TargetError. */
export function readListen(text: string): string {
  const target = parseTarget(/^\d*$/.test(text) ? `127.0.0.1:${text}` : text);
  const { host } = target;
  if (host.kind === "address" && listenAddresses.includes(host.address)) return targetText(target);
  throw new TargetError(
    `${JSON.stringify(text)} is no address that a sandboxed connector can listen on`,
    'Write the port alone for 127.0.0.1, or "0.0.0.0:8787" or "[::]:8787" for every address.',
  );
}
