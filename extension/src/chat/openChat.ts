/** Opens the chat view ready to talk to a run's adapter. */
import * as vscode from "vscode";

import type { RunSummary } from "../protocol/types";
import type { ChatModels } from "./models";
import { languageModels, VENDOR } from "./provider";

export async function openChat(models: ChatModels, run: RunSummary): Promise<void> {
  await models.choose(run.chat_model ?? undefined);
  // The editor asks for a model before it calls a participant, and offers ours only once somebody has asked for them.
  await languageModels?.selectChatModels?.({ vendor: VENDOR });
  await vscode.commands.executeCommand("workbench.action.chat.open", { query: "@peft ", isPartialQuery: true });
}
