/** `@peft /compare`: an adapter and its base answer the same prompt, at the same time and from the same seed. */
import type * as vscode from "vscode";

import { Problem } from "../problem";
import type { ChatMessage, ChatModel } from "../protocol/types";
import type { Server } from "../server/server";
import { complete } from "./completion";
import { SideBySide } from "./sideBySide";

const SEEDS = 2 ** 32;

/** What our own panel is told to show the two answers beside each other. */
export interface Comparison {
  readonly model: string;
  readonly compare_with: string;
  readonly seed: number;
  readonly prompt: string;
}

/** @throws Problem when the model that is chosen has no adapter. What goes wrong on one side is written on that side. */
export async function compare(
  server: Server,
  models: readonly ChatModel[],
  current: ChatModel,
  messages: ChatMessage[],
  stream: vscode.ChatResponseStream,
  token: vscode.CancellationToken,
): Promise<void> {
  const prompt = messages.at(-1)?.content ?? "";
  if (prompt.trim() === "")
    throw new Problem("There is no prompt to compare answers to.", "Write one: `@peft /compare Who are you?`");
  const base = models.find(({ id }) => id === current.base);
  if (current.run_id === null || !base)
    throw new Problem(
      `${current.label} is a base, which there is nothing to compare with.`,
      "Choose an adapter with “PEFT: Choose Chat Model”.",
    );
  const sides = [
    [0, current.id],
    [1, base.id],
  ] as const;
  const seed = Math.floor(Math.random() * SEEDS);
  stream.progress(`Asking ${current.label} and its base`);
  const answers = new SideBySide([current.label, base.label], (text) => stream.markdown(text));
  await Promise.all(
    sides.map(async ([side, id]) => {
      try {
        const { text, finish_reason: ended } = await complete(
          server,
          { model: id, messages, seed },
          (text) => answers.add(side, text),
          token,
        );
        if (text === "") answers.add(side, "*No answer.*");
        if (ended === "length") answers.add(side, "\n*The answer was cut at its length limit.*");
      } catch (error) {
        answers.add(side, `\n*${Problem.from(error).text}*`);
      }
      answers.end(side);
    }),
  );
  const comparison: Comparison = { model: current.id, compare_with: base.id, seed, prompt };
  // With code as it is written, and each answer to be copied or inserted on its own.
  stream.button({ command: "peft.compareAnswers", title: "Open in Chat Panel", arguments: [comparison] });
}

export function isComparison(value: unknown): value is Comparison {
  if (typeof value !== "object" || value === null) return false;
  const { model, compare_with: other, seed, prompt } = value as Record<string, unknown>;
  return [model, other, prompt].every((text) => typeof text === "string") && typeof seed === "number";
}
