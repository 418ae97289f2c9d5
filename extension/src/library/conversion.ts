/** What is said of a conversion: the offers, a name for the result, and how near it is to its source. */
import type { ConversionOffer, ConversionResult } from "../protocol/types";
import { sizeText } from "../runs/describe";

export interface OfferItem {
  readonly label: string;
  readonly description: string;
  readonly to: string;
}

export function offerItem({ to, bytes }: ConversionOffer): OfferItem {
  return { label: targetName(to), description: bytes == null ? "" : `about ${sizeText(bytes)}`, to };
}

/** A name for what a model becomes: `base:run` to `q8_0` is `base-run-q8_0.gguf`. */
export function resultName(model: string, to: string): string {
  const last = model.slice(model.lastIndexOf("/") + 1);
  const ending = /\.(gguf|safetensors|bin|pt|pth|npz)$/i.exec(last)?.[0] ?? "";
  const name = last.slice(0, last.length - ending.length).replace(/[^\w.-]+/g, "-");
  // Of a file comes a file, of a folder a folder.
  if (to === "safetensors") return ending === "" ? `${name}-safetensors` : `${name}.safetensors`;
  return to === "gguf-adapter" ? `${name}-adapter.gguf` : `${name}-${to.slice(to.indexOf(":") + 1)}.gguf`;
}

export function resultText({ output, bytes, comparison, difference, tolerance }: ConversionResult): string {
  const percent = (share: number) => `${(share * 100).toFixed(share < 0.01 ? 2 : 1)} %`;
  const near =
    comparison === "bits"
      ? "It holds the same numbers, bit by bit."
      : `What it says differs from its source by ${percent(difference)}, of ${percent(tolerance)} allowed.`;
  return `Written to ${output} (${sizeText(bytes)}). ${near}`;
}

function targetName(to: string): string {
  if (to === "safetensors") return "Safetensors";
  if (to === "gguf-adapter") return "GGUF adapter alone";
  return `GGUF ${to.slice(to.indexOf(":") + 1).toUpperCase()}`;
}
