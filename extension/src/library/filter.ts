/** The filter of the Models view: what can be chosen in it, and the query that a choice comes to. */
import type { ModelEntry, ModelQuery } from "../protocol/types";
import { SOURCE_NAMES } from "./describe";

type Capability = NonNullable<NonNullable<ModelEntry["facts"]>["capabilities"]>[number];

export interface FilterChoice {
  readonly group: "Format" | "Size" | "Made for" | "Source";
  readonly label: string;
  readonly query: ModelQuery;
}

const GB = 1e9;

const CAPABILITIES: Record<Capability, string> = {
  chat: "Chat",
  tools: "Tool calls",
  infill: "Filling gaps in code",
  embeddings: "Embeddings",
  vision: "Images",
};

export const FILTER_CHOICES: readonly FilterChoice[] = [
  { group: "Format", label: "GGUF", query: { formats: ["gguf"] } },
  { group: "Format", label: "Safetensors", query: { formats: ["safetensors"] } },
  { group: "Format", label: "ONNX", query: { formats: ["onnx"] } },
  { group: "Format", label: "MLX", query: { formats: ["mlx"] } },
  { group: "Size", label: "Up to 1 GB", query: { max_bytes: GB } },
  { group: "Size", label: "1 to 5 GB", query: { min_bytes: GB, max_bytes: 5 * GB } },
  { group: "Size", label: "5 to 20 GB", query: { min_bytes: 5 * GB, max_bytes: 20 * GB } },
  { group: "Size", label: "From 20 GB", query: { min_bytes: 20 * GB } },
  ...Object.entries(CAPABILITIES).map(([capability, label]): FilterChoice => ({
    group: "Made for",
    label,
    query: { capabilities: [capability as Capability] },
  })),
  ...Object.entries(SOURCE_NAMES).map(([source, label]): FilterChoice => ({
    group: "Source",
    label,
    query: { sources: [source as ModelEntry["source"]] },
  })),
];

/** Of several sizes all that lies between the smallest and the largest is wanted. */
export function queryOf(choices: readonly FilterChoice[]): ModelQuery {
  const queries = choices.map(({ query }) => query);
  const sizes = choices.filter(({ group }) => group === "Size").map(({ query }) => query);
  const lowest = Math.min(...sizes.map(({ min_bytes }) => min_bytes ?? 0));
  const highest = Math.max(...sizes.map(({ max_bytes }) => max_bytes ?? Infinity));
  return {
    formats: queries.flatMap(({ formats }) => formats ?? []),
    sources: queries.flatMap(({ sources }) => sources ?? []),
    capabilities: queries.flatMap(({ capabilities }) => capabilities ?? []),
    min_bytes: sizes.length > 0 && lowest > 0 ? lowest : null,
    max_bytes: sizes.length > 0 && Number.isFinite(highest) ? highest : null,
  };
}

export function filterText(choices: readonly FilterChoice[]): string {
  return choices.map(({ label }) => label).join(", ");
}
