/** What is said of a model in few words; shared by the tree, the pickers and their tests. */
import type { ModelEntry, ResidentModel } from "../protocol/types";
import { sizeText } from "../runs/describe";

export type ModelSource = ModelEntry["source"];

export const SOURCE_NAMES: Record<ModelSource, string> = {
  package: "Python Packages",
  workbench: "Made Ready to Train",
  huggingface: "Hugging Face",
  "lm-studio": "LM Studio",
  ollama: "Ollama",
  "llama.cpp": "llama.cpp",
  folder: "Folders",
  added: "Added",
};

export function modelSummary({ facts }: ModelEntry): string {
  if (!facts) return "cannot be used";
  const parts = [facts.quantization ?? facts.format, sizeText(facts.size_bytes)];
  if (facts.context_length != null) parts.push(`${facts.context_length.toLocaleString("en")} tokens`);
  return parts.join(" · ");
}

/** Everything that is known of a model, as name and value. */
export function modelFacts(model: ModelEntry, resident: ResidentModel | undefined): [string, string][] {
  const { facts } = model;
  const rows: [string, string | null | undefined][] = [
    ["Source", SOURCE_NAMES[model.source]],
    ["Format", facts?.format],
    ["Size", facts && sizeText(facts.size_bytes)],
    ["Architecture", facts?.architecture],
    ["Parameters", facts?.parameters?.toLocaleString("en")],
    ["Quantization", facts?.quantization],
    ["Context", facts?.context_length == null ? null : `${facts.context_length.toLocaleString("en")} tokens`],
    ["Made for", facts?.capabilities?.join(", ")],
    ["Licence", facts?.licence],
    ["In memory", resident?.state === "ready" ? sizeText(resident.memory_bytes ?? 0) : null],
    ["Path", model.path],
    ["Defined by", model.definition],
    ["Same weights", model.copies?.join(", ")],
  ];
  return rows.filter((row): row is [string, string] => Boolean(row[1]));
}
