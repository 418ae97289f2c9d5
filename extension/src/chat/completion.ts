/** Asks a local model through the daemon and hands on the pieces of its answer as they come. */
import { randomUUID } from "node:crypto";

import type * as vscode from "vscode";

import { Problem } from "../problem";
import type { ChatMessage, ChatResult, ChatTool } from "../protocol/types";
import type { Server } from "../server/server";

export interface Question {
  readonly model: string;
  readonly messages: ChatMessage[];
  /** As the daemon takes them; what is left out is as it likes. */
  readonly max_tokens?: number;
  readonly temperature?: number;
  readonly top_p?: number;
  readonly seed?: number;
  readonly tools?: ChatTool[];
  readonly tool_choice?: "auto" | "required";
}

/** @throws Problem with the daemon's own words when there is no answer. A cancelled answer is an answer. */
export async function complete(
  server: Server,
  question: Question,
  onText: (text: string) => void,
  token: vscode.CancellationToken,
): Promise<ChatResult> {
  const id = randomUUID();
  let streamed = "";
  const subscription = server.on("peft/chat/delta")(({ request_id, text }) => {
    if (request_id !== id) return;
    streamed += text;
    onText(text);
  });
  try {
    const result = await server.request("peft/chat/complete", { ...question, request_id: id }, token);
    if (result.error) throw Problem.fromReport(result.error);
    // A piece that is still under way would otherwise be lost with the subscription.
    if (result.text.startsWith(streamed) && result.text !== streamed) onText(result.text.slice(streamed.length));
    return result;
  } catch (error) {
    if (token.isCancellationRequested) return { text: streamed, finish_reason: "cancelled" };
    throw error;
  } finally {
    subscription.dispose();
  }
}
