/** Turns what VS Code keeps of a chat into the messages that a model takes. */
import * as vscode from "vscode";

import type { ChatMessage } from "../protocol/types";

/** What the participant's handler leaves with a turn. */
export interface TurnMetadata {
  /** The turn holds a sentence about a failure, not an answer. */
  readonly failed?: boolean;
  /** The turn was no part of the conversation with the model: an explanation, a comparison, a run. */
  readonly aside?: boolean;
  /** The prompt, where another model could be asked the same. */
  readonly comparable?: string;
}

export function messagesOf(
  history: readonly (vscode.ChatRequestTurn | vscode.ChatResponseTurn)[],
  prompt: string,
): ChatMessage[] {
  const messages: ChatMessage[] = [];
  for (const turn of history) {
    if (turn instanceof vscode.ChatRequestTurn) {
      messages.push({ role: "user", content: turn.prompt });
    } else if (isNoAnswer(turn)) {
      // The model never saw that question: leaving it in would make two turns of the user follow each other.
      messages.pop();
    } else {
      messages.push({ role: "assistant", content: answerOf(turn) });
    }
  }
  return [...messages, { role: "user", content: prompt }];
}

function isNoAnswer(turn: vscode.ChatResponseTurn): boolean {
  const metadata = turn.result.metadata as TurnMetadata | undefined;
  return metadata?.failed === true || metadata?.aside === true || answerOf(turn) === "";
}

function answerOf(turn: vscode.ChatResponseTurn): string {
  return turn.response
    .map((part) => (part instanceof vscode.ChatResponseMarkdownPart ? part.value.value : ""))
    .join("");
}
