/** Filling a gap between two texts, straight from the model server: a key that is pressed must end it at once. */
import { Problem } from "../problem";
import type { ErrorReport, ServeEndpoint } from "../protocol/types";

export interface Gap {
  readonly model: string;
  readonly prefix: string;
  readonly suffix: string;
  readonly maxTokens: number;
}

/** The parts of the server's answers that matter here. */
interface Body {
  readonly choices?: readonly { readonly text: string }[];
  readonly capabilities?: readonly string[];
  readonly error?: { readonly message: string; readonly report?: ErrorReport };
}

/** Tells whether a model was made to fill in the middle. */
export async function canInfill(endpoint: ServeEndpoint, model: string, signal: AbortSignal): Promise<boolean> {
  const path = model.split("/").map(encodeURIComponent).join("/");
  const { capabilities = [] } = await ask(endpoint, `/models/${path}`, { signal });
  return capabilities.includes("infill");
}

/** @throws Problem in the server's own words; an AbortError when the signal ended it, and the computation with it. */
export async function infill(endpoint: ServeEndpoint, gap: Gap, signal: AbortSignal): Promise<string> {
  const { choices = [] } = await ask(endpoint, "/completions", {
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

async function ask({ url, token }: ServeEndpoint, path: string, init: RequestInit): Promise<Body> {
  const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
  const response = await fetch(`${url}${path}`, { ...init, headers });
  const body = (await response.json()) as Body;
  if (response.ok) return body;
  if (body.error?.report) throw Problem.fromReport(body.error.report);
  throw new Problem(body.error?.message ?? `The model server answered ${response.status}.`);
}
