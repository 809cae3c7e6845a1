// docs/connectors.md, made of the manifests: what each connector carries in and out, and its limits.
import type { Features, Manifest } from "./types.ts";

const intro = `<!-- Generated from connectors/*/manifest.json by schema/generate.ts. Do not edit. -->

# Connectors

What each connector carries between its platform and the spool. Each claim is held by the contract suite (\`test/contract\`): what is declared is shown on a real server or on one that speaks the
platform's protocol, and what is not declared is refused (\`not_supported\`). The same for programs: \`npx spoolway types --json\`.

Those with libraries of their own are no part of the default install: \`npx spoolway install TYPE\` (without a type: for all in \`connectors.yml\`) fetches them.
`;

const legend = `
- **catches up**: what happened on the platform while the connector was away arrives later, in order, once.
- **sent again**: after a crash between the platform's yes and the receipt a message is sent again with the same id; this is what the platform's users see then. \`once\`: one message. \`recognisable\`: two with the same id. \`twice\`: two.
- **text**: what fits into one message on the platform, and what becomes of more.
`;

export interface Listed {
  manifest: Manifest;
  libraries: Record<string, string>;
}

/** The whole page; `listed` in any order. */
export function connectorsPage(listed: readonly Listed[]): string {
  const sorted = listed.toSorted((a, b) => (a.manifest.type < b.manifest.type ? -1 : 1));
  const declared = sorted.filter(({ manifest }) => manifest.features !== undefined);
  const others = sorted.filter(({ manifest }) => manifest.features === undefined);
  return [
    intro,
    table(
      ["type", "events in", "actions out", "attachments", "threads", "replies", "formats out"],
      declared.map(({ manifest }) => whatRow(manifest.type, manifest.features as Features)),
    ),
    "",
    table(
      ["type", "catches up", "sent again", "text", "attachments up to", "the platform allows", "libraries"],
      declared.map(({ manifest, libraries }) => [
        ...limitsRow(manifest.type, manifest.features as Features),
        Object.entries(libraries)
          .map(([name, version]) => `${name} ${version}`)
          .join(", ") || "–",
      ]),
    ),
    legend,
    "What these carry is up to you, your program or your configuration:",
    "",
    table(
      ["type", "", "direction"],
      others.map(({ manifest }) => [
        link(manifest.type),
        manifest.description ?? "",
        manifest.direction === "both" || manifest.direction === undefined ? "in and out" : manifest.direction,
      ]),
    ),
    "",
  ].join("\n");
}

const link = (type: string): string => `[${type}](../connectors/${type})`;
const list = (words: readonly string[]): string => (words.length === 0 ? "–" : words.join(", "));
const sides = { in: "in", out: "out", both: "both ways", none: "–" } as const;

function whatRow(type: string, features: Features): string[] {
  const { attachments = "none", threads = "none", replies = "none", formats = ["plain"] } = features;
  return [
    link(type),
    list(features.in),
    list(features.out),
    sides[attachments],
    sides[threads],
    sides[replies],
    features.out.length === 0 ? "–" : list(formats),
  ];
}

function limitsRow(type: string, { catches_up, resend, out, limits = {} }: Features): string[] {
  const { text, text_unit = "characters", above, attachment_in_bytes, attachment_out_bytes, rate } = limits;
  const unit = text_unit === "utf16" ? "UTF-16 units" : text_unit;
  const files = [
    ...(attachment_in_bytes === undefined ? [] : [`in ${bytes(attachment_in_bytes)}`]),
    ...(attachment_out_bytes === undefined ? [] : [`out ${bytes(attachment_out_bytes)}`]),
  ];
  return [
    link(type),
    catches_up ? "yes" : "no",
    out.length === 0 ? "–" : (resend ?? "twice"),
    text === undefined
      ? "–"
      : `${text.toLocaleString("en")} ${unit}, ${above === "refused" ? "more is refused" : "more goes in parts"}`,
    list(files),
    rate ?? "–",
  ];
}

const bytes = (count: number): string => (count >= 1e6 ? `${Math.round(count / 1e6)} MB` : `${count} bytes`);

function table(head: readonly string[], rows: ReadonlyArray<readonly string[]>): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}
