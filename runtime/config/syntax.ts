// The YAML parser's complaints in words for people, and what they probably meant. Never what stands in the text: it may be a secret.
import type { YAMLError } from "yaml";
import type { Finding, SourceFile } from "./source.ts";

const maxSyntaxFindings = 20;
const tabFinding = ["a tab as indentation", "Use spaces: YAML allows no tabs there."] as const;
const syntaxText: Partial<Record<YAMLError["code"], readonly [message: string, hint: string]>> = {
  TAB_AS_INDENT: tabFinding,
  BAD_INDENT: [
    "the indentation fits no line above",
    "Give everything of one entry the same number of spaces.",
  ],
  MULTIPLE_DOCS: ["a second document (---)", "Put everything in one document."],
  BLOCK_AS_IMPLICIT_KEY: [
    "a second key in the same line",
    'Check the indentation of the next lines; put a value that contains ": " in quotes.',
  ],
  MULTILINE_IMPLICIT_KEY: [
    "a key over several lines",
    "Check the indentation, and that every key has its colon and a space.",
  ],
  BAD_DQ_ESCAPE: ["an unknown escape in a double-quoted text", "Use single quotes, or write each \\ twice."],
  BAD_SCALAR_START: ["a value cannot start with this character", "Put the value in quotes."],
  RESOURCE_EXHAUSTION: ["nested too deeply", "Nest at most 64 levels."],
  NON_STRING_KEY: ["a key that is a list or a group", "Keys must be plain words."],
  TAG_RESOLVE_FAILED: ["a tag (!) that does not fit its value", "Remove the tag."],
  BAD_DIRECTIVE: ["a directive (%) that is not known", "Remove the line."],
  UNEXPECTED_TOKEN: [
    "this does not belong here",
    "Check the indentation, quotes and brackets of this line and the one above.",
  ],
};

/** One mistake makes the parser stumble many times: the first of each line is reported. */
export function explainSyntax(errors: readonly YAMLError[], source: SourceFile): Finding[] {
  const tabs = errors.filter((error) => error.code === "TAB_AS_INDENT");
  const lines = new Set<number>();
  const findings: Finding[] = [];
  for (const error of (tabs.length > 0 ? tabs : [...errors]).sort((a, b) => a.pos[0] - b.pos[0])) {
    const comment = commentInFlow(error, source.text);
    const offset = comment ?? Math.min(error.pos[0], source.text.length);
    const { line } = source.lines.linePos(offset);
    if (lines.has(line)) continue;
    lines.add(line);
    if (error.code === "RESOURCE_EXHAUSTION" && findings.length > 0) break;
    if (findings.length === maxSyntaxFindings) {
      findings.push({
        offset,
        message: "and more mistakes below",
        hint: "Correct the ones above first.",
        unparsed: true,
      });
      break;
    }
    // Where the library quotes the source, and with it perhaps a secret, our text stands in the table; the end is cut to be sure.
    const [message, hint] = (comment === undefined ? syntaxText[error.code] : commentText) ?? [
      lowerFirst(error.message.replace(/: ".*$/s, "")),
      undefined,
    ];
    findings.push({
      offset,
      message: `not valid YAML: ${message}`,
      hint: flowHint(source, offset) ?? hint,
      unparsed: true,
    });
  }
  return findings;
}

const commentText = [
  "a # begins a comment here",
  'If it belongs to a text, put it in quotes: ["#dev"]',
] as const;

/** `[#dev, #ops]` is no list of two texts: where the # stands, if that is what the parser stumbled over. */
function commentInFlow(error: YAMLError, text: string): number | undefined {
  if (error.message.startsWith("Comments must be separated")) return error.pos[0];
  if (!error.message.startsWith("Flow ")) return undefined;
  const from = Math.max(0, error.pos[0] - 1000);
  const found = /[[{,:]\s*#[^\s\]}][^\n]*\s*$/.exec(text.slice(from, error.pos[0]));
  return found ? from + found.index + found[0].indexOf("#") : undefined;
}

/** `[ ${X} ]` is not YAML: the brace would begin a group. */
function flowHint(source: SourceFile, offset: number): string | undefined {
  const start = source.text.lastIndexOf("\n", offset - 1) + 1;
  const end = source.text.indexOf("\n", offset);
  const line = source.text.slice(start, end === -1 ? undefined : end);
  const at = line.indexOf("${");
  return at > 0 && /[[{]/.test(line.slice(0, at))
    ? 'Inside { } and [ ] put it in quotes: "${NAME}"'
    : undefined;
}

const lowerFirst = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1);
