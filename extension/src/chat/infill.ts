/** Filling a gap between two texts, straight from the model server: a key that is pressed must end it at once. */
import type { ServeEndpoint } from "../protocol/types";
import { ask } from "../serving/ask";

export interface Gap {
  readonly model: string;
  readonly prefix: string;
  readonly suffix: string;
  readonly maxTokens: number;
}

/** Tells whether a model was made to fill in the middle. */
export async function canInfill(endpoint: ServeEndpoint, model: string, signal: AbortSignal): Promise<boolean> {
  const path = model.split("/").map(encodeURIComponent).join("/");
  const card = await ask<{ readonly capabilities?: readonly string[] }>(endpoint, `models/${path}`, { signal });
  return card.capabilities?.includes("infill") ?? false;
}

/** @throws Problem in the server's own words; an AbortError when the signal ended it, and the computation with it. */
export async function infill(endpoint: ServeEndpoint, gap: Gap, signal: AbortSignal): Promise<string> {
  const { choices } = await ask<{ readonly choices: readonly { readonly text: string }[] }>(endpoint, "completions", {
    method: "POST",
    body: JSON.stringify({
      model: gap.model,
      prompt: gap.prefix,
      suffix: gap.suffix,
      max_tokens: gap.maxTokens,
      temperature: 0,
    }),
    signal,
  });
  return choices[0]?.text ?? "";
}

/** The first lines of an answer, without what is blank at its end. */
export function firstLines(text: string, count: number): string {
  return text.split("\n").slice(0, count).join("\n").trimEnd();
}
