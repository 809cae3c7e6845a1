// Rows in columns without borders: readable in a terminal, and for grep and awk.
import Table from "cli-table3";

const bare = {
  top: "",
  "top-mid": "",
  "top-left": "",
  "top-right": "",
  bottom: "",
  "bottom-mid": "",
  "bottom-left": "",
  "bottom-right": "",
};
const inner = { left: "", "left-mid": "", mid: "", "mid-mid": "", right: "", "right-mid": "", middle: "  " };

/** The table as text without a final line end. */
export function columns(
  head: readonly string[],
  rows: ReadonlyArray<readonly string[]>,
  color: boolean,
): string {
  const style = { "padding-left": 0, "padding-right": 0, head: color ? ["bold"] : [], border: [] };
  const table = new Table({ head: [...head], chars: { ...bare, ...inner }, style });
  table.push(...rows.map((row) => [...row]));
  return table
    .toString()
    .split("\n")
    .map((line) => line.trimEnd())
    .join("\n");
}
