// spoolway/sdk/people: who said something, where a platform's events have ids and the names have to be asked for.
import type { Draft } from "../sdk.ts";
import { Lookups } from "./lookups.ts";

export interface Person {
  name?: string;
  real_name?: string;
  is_bot?: boolean;
}

/** What an event itself says of its author. */
export interface Author {
  /** A person, or an app that is one. */
  id?: string | undefined;
  /** An app that is no person. */
  botId?: string | undefined;
  name?: string | undefined;
}

export class People extends Lookups<Person> {
  readonly #ours: ReadonlySet<string>;

  /** `ours`: the ids of our own account. */
  constructor(find: (id: string) => Promise<Person>, ours: readonly string[]) {
    super(find);
    this.#ours = new Set(ours);
  }

  async nameOf(id: string): Promise<string | undefined> {
    return (await this.get(id))?.name;
  }

  /** Undefined where nobody is named. */
  async sender({ id: person, botId, name }: Author): Promise<Draft["sender"]> {
    const id = person ?? botId;
    if (id === undefined) return undefined;
    const known = person === undefined ? undefined : await this.get(person);
    return {
      id,
      username: known?.name || name || id, // an empty one is none
      display_name: known?.real_name || name || undefined,
      is_bot: known?.is_bot ?? botId !== undefined,
      is_self: this.#ours.has(id),
    };
  }
}
