/** How many tokens a text has: counted by the model's own tokenizer while it is in memory, else estimated. */
import type { ChatMessage, ServeEndpoint } from "../protocol/types";
import { ask } from "../serving/ask";

/** Of English text and code. */
const CHARACTERS_A_TOKEN = 4;
/** What a chat template puts around a turn: ChatML, for one, two marks, the role and two line breaks. */
const TOKENS_A_TURN = 5;

/** What counts of a text, or of the turns of a conversation. */
export interface Counted {
  readonly text: string;
  /** 0 for a text that is no turn. */
  readonly turns: number;
}

export function countedTurns(turns: readonly ChatMessage[]): Counted {
  const text = turns
    .flatMap(({ content, tool_calls: calls }) => [
      content,
      ...(calls ?? []).flatMap((call) => [call.name, call.arguments]),
    ])
    .join("\n");
  return { text, turns: turns.length };
}

/** @throws Problem when the model is not in memory: nothing is loaded for a count. */
export async function countTokens(
  endpoint: ServeEndpoint,
  model: string,
  { text, turns }: Counted,
  signal: AbortSignal,
): Promise<number> {
  const body = JSON.stringify({ model, prompt: text });
  const { count } = await ask<{ readonly count: number }>(endpoint, "../tokenize", { method: "POST", body, signal });
  return count + turns * TOKENS_A_TURN;
}

export function estimateTokens({ text, turns }: Counted): number {
  return Math.ceil(text.length / CHARACTERS_A_TOKEN) + turns * TOKENS_A_TURN;
}
