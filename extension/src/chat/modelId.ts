/** A model's id taken apart and put together: `base`, `base:adapter`, `base:adapter@0.5`, `base:one+other@0.5`. */
import type { ChatModel } from "../protocol/types";

/** An adapter and how strongly it is applied. */
export interface AdapterChoice {
  /** What follows the base in the id of the adapter's own model. */
  readonly name: string;
  readonly scale: number;
}

export interface ModelChoice {
  readonly base: string;
  /** None for the base as it is. */
  readonly adapters: readonly AdapterChoice[];
}

type Known = Pick<ChatModel, "id" | "base">;

export function composeId({ base, adapters }: ModelChoice): string {
  const parts = adapters
    .filter(({ scale }) => scale !== 0)
    .map(({ name, scale }) => (scale === 1 ? name : `${name}@${scale}`));
  return parts.length === 0 ? base : `${base}:${parts.join("+")}`;
}

/**
 * Takes an id apart; undefined when it names no base that is known.
 *
 * @param known what can be chatted with: a base may have a colon in its own name
 */
export function parseId(id: string, known: readonly Known[]): ModelChoice | undefined {
  const bases = [...new Set(known.map(({ base }) => base))].sort((a, b) => b.length - a.length);
  const base = bases.find((candidate) => id === candidate || id.startsWith(`${candidate}:`));
  if (base === undefined) return undefined;
  if (id === base) return { base, adapters: [] };
  return {
    base,
    adapters: id
      .slice(base.length + 1)
      .split("+")
      .map(adapter),
  };
}

/** The names of the adapters that a base has. */
export function adaptersOf(base: string, known: readonly Known[]): string[] {
  return known.filter((model) => model.base === base && model.id !== base).map(({ id }) => id.slice(base.length + 1));
}

function adapter(part: string): AdapterChoice {
  const at = part.lastIndexOf("@");
  const scale = at < 0 ? Number.NaN : Number(part.slice(at + 1));
  return at < 1 || Number.isNaN(scale) ? { name: part, scale: 1 } : { name: part.slice(0, at), scale };
}
