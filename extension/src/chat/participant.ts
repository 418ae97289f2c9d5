/** `@peft` in the chat view: answers come from the adapter, on this machine. */
import * as vscode from "vscode";

import { Problem } from "../problem";
import type { Server } from "../server/server";
import { fileIcon } from "../views/icons";
import { complete } from "./completion";
import { messagesOf, type TurnMetadata } from "./history";
import type { ChatModels } from "./models";

export function registerParticipant(
  server: Server,
  models: ChatModels,
  extensionUri: vscode.Uri,
): vscode.ChatParticipant {
  const participant = vscode.chat.createChatParticipant("peft.chat", (request, context, stream, token) =>
    answer(server, models, request, context, stream, token),
  );
  participant.iconPath = fileIcon(extensionUri);
  return participant;
}

async function answer(
  server: Server,
  models: ChatModels,
  request: vscode.ChatRequest,
  context: vscode.ChatContext,
  stream: vscode.ChatResponseStream,
  token: vscode.CancellationToken,
): Promise<{ metadata: TurnMetadata }> {
  try {
    if (!vscode.workspace.isTrusted) {
      throw new Problem("Chats are off in Restricted Mode.", "Trust this workspace to use them.");
    }
    const model = await models.current();
    stream.progress(`Asking ${model.label}`);
    const question = { model: model.id, messages: messagesOf(context.history, request.prompt) };
    // Text, not Markdown of ours: the model's words are shown as it writes them, and cannot run commands.
    const result = await complete(server, question, (text) => stream.markdown(text), token);
    if (result.finish_reason === "length") stream.markdown("\n\n*The answer was cut at its length limit.*");
    return { metadata: {} };
  } catch (error) {
    stream.markdown(Problem.from(error).text);
    return { metadata: { failed: true } };
  }
}
