/** What the editor's chats send a model, in the words that the daemon takes. */
import * as vscode from "vscode";

import type { ChatMessage, ChatTool, ToolCall } from "../protocol/types";

const ROLES: Partial<Record<vscode.LanguageModelChatMessageRole, ChatMessage["role"]>> = {
  [vscode.LanguageModelChatMessageRole.User]: "user",
  [vscode.LanguageModelChatMessageRole.Assistant]: "assistant",
};

/** One message of the editor's may hold the results of several tools, each of which is a turn of its own. */
export function turnsOf(message: vscode.LanguageModelChatRequestMessage): ChatMessage[] {
  const results = message.content.filter((part) => part instanceof vscode.LanguageModelToolResultPart);
  const turns: ChatMessage[] = results.map((part) => ({
    role: "tool",
    content: textOf(part.content),
    tool_call_id: part.callId,
  }));
  const content = textOf(message.content);
  const tool_calls = message.content.flatMap((part) =>
    part instanceof vscode.LanguageModelToolCallPart ? [callOf(part)] : [],
  );
  if (content !== "" || tool_calls.length > 0 || turns.length === 0) {
    // VS Code's own prompts come with a role that the typings do not name; they instruct, so they are the system's.
    const role = ROLES[message.role] ?? "system";
    turns.push(tool_calls.length > 0 ? { role, content, tool_calls } : { role, content });
  }
  return turns;
}

export function toolsOf(options: vscode.ProvideLanguageModelChatResponseOptions): {
  tools?: ChatTool[];
  tool_choice?: "auto" | "required";
} {
  if (!options.tools?.length) return {};
  const tools = options.tools.map(({ name, description, inputSchema }) => ({
    name,
    description,
    parameters: (inputSchema ?? { type: "object", properties: {} }) as Record<string, unknown>,
  }));
  const isRequired = options.toolMode === vscode.LanguageModelChatToolMode.Required;
  return { tools, tool_choice: isRequired ? "required" : "auto" };
}

/** @throws SyntaxError when the model wrote no JSON, which its constraint keeps it from */
export function callPart({ id, name, arguments: written }: ToolCall): vscode.LanguageModelToolCallPart {
  return new vscode.LanguageModelToolCallPart(id, name, JSON.parse(written || "{}") as object);
}

function callOf({ callId, name, input }: vscode.LanguageModelToolCallPart): ToolCall {
  return { id: callId, name, arguments: JSON.stringify(input) };
}

function textOf(parts: readonly unknown[]): string {
  return parts.map((part) => (part instanceof vscode.LanguageModelTextPart ? part.value : "")).join("");
}
