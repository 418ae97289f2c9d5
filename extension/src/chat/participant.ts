/** `@peft` in the chat view: answers come from the adapter, on this machine. */
import * as vscode from "vscode";

import { Problem } from "../problem";
import { requireTrust } from "../trust";
import { fileIcon } from "../views/icons";
import { compare } from "./compare";
import { complete } from "./completion";
import { explain } from "./explain";
import { followRun, type RunParts } from "./followRun";
import { messagesOf, type TurnMetadata } from "./history";
import type { ChatModels } from "./models";

export interface ParticipantParts extends RunParts {
  readonly models: ChatModels;
  readonly extensionUri: vscode.Uri;
}

export function registerParticipant(parts: ParticipantParts): vscode.ChatParticipant {
  const participant = vscode.chat.createChatParticipant("peft.chat", (request, context, stream, token) =>
    answer(parts, request, context, stream, token),
  );
  participant.iconPath = fileIcon(parts.extensionUri);
  participant.followupProvider = {
    provideFollowups: (result) => followups(result.metadata),
  };
  return participant;
}

async function answer(
  parts: ParticipantParts,
  request: vscode.ChatRequest,
  context: vscode.ChatContext,
  stream: vscode.ChatResponseStream,
  token: vscode.CancellationToken,
): Promise<{ metadata: TurnMetadata }> {
  try {
    switch (request.command) {
      case "explain":
        await explain(parts.server, request.prompt, stream);
        return { metadata: { aside: true } };
      case "run":
        await followRun(parts, stream, token);
        return { metadata: { aside: true } };
      default:
        return { metadata: await ask(parts, request, context, stream, token) };
    }
  } catch (error) {
    stream.markdown(Problem.from(error).text);
    return { metadata: { failed: true } };
  }
}

async function ask(
  { server, models }: ParticipantParts,
  request: vscode.ChatRequest,
  context: vscode.ChatContext,
  stream: vscode.ChatResponseStream,
  token: vscode.CancellationToken,
): Promise<TurnMetadata> {
  requireTrust("Chats");
  const model = await models.current();
  const messages = messagesOf(context.history, request.prompt);
  if (request.command === "compare") {
    await compare(server, await models.list(), model, messages, stream, token);
    return { aside: true };
  }
  stream.progress(`Asking ${model.label}`);
  // Text, not Markdown of ours: the model's words are shown as it writes them, and cannot run commands.
  const result = await complete(server, { model: model.id, messages }, (text) => stream.markdown(text), token);
  if (result.finish_reason === "length") stream.markdown("\n\n*The answer was cut at its length limit.*");
  return model.run_id === null ? {} : { comparable: request.prompt };
}

function followups(metadata: TurnMetadata | undefined): vscode.ChatFollowup[] {
  const prompt = metadata?.comparable;
  return prompt ? [{ prompt, command: "compare", label: "Compare with the base" }] : [];
}
