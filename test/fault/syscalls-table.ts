// How many cases there were: by scenario and fault, as a table for people.
import type { Fault } from "./inject-faults.ts";

const faults: readonly Fault[] = ["kill before", "kill after", "EIO", "ENOSPC", "EMFILE", "short write"];

export class Table {
  cases = 0;
  /** Cases whose fault acted. */
  fired = 0;
  readonly #rows = new Map<string, Map<Fault, number>>();

  count(scenario: string, fault: Fault, fired: boolean): void {
    this.cases += 1;
    if (fired) this.fired += 1;
    const row = this.#rows.get(scenario) ?? new Map<Fault, number>();
    row.set(fault, (row.get(fault) ?? 0) + 1);
    this.#rows.set(scenario, row);
  }

  toString(): string {
    const line = (title: string, cells: readonly (string | number)[]): string =>
      `${title.padEnd(26)}${cells.map((cell) => String(cell).padStart(12)).join("")}`;
    const numbers = (row: Map<Fault, number>): number[] => faults.map((fault) => row.get(fault) ?? 0);
    const rows = [...this.#rows].map(([name, row]) => line(name, numbers(row)));
    const sums = new Map(
      faults.map((fault) => [fault, sum([...this.#rows.values()].map((row) => row.get(fault) ?? 0))]),
    );
    return [
      line("", faults),
      ...rows,
      line("all", numbers(sums)),
      `${this.cases} cases, ${this.fired} fired`,
    ].join("\n");
  }
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, one) => total + one, 0);
