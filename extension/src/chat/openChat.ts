/** Opens the chat view ready to talk to one of our models. */
import * as vscode from "vscode";

import { languageModels, VENDOR } from "./provider";

const OPEN = "workbench.action.chat.open";

/** @param model the id of a `ChatModel` */
export async function openChat(model: string): Promise<void> {
  const query = { query: "@peft ", isPartialQuery: true };
  // The editor asks for a model of its own choosing before it calls a participant. Ours are not offered before somebody has
  // asked for them, nor in Agent mode, which wants models that call tools.
  const known = (await languageModels?.selectChatModels?.({ vendor: VENDOR })) ?? [];
  if (known.some(({ id }) => id === model)) {
    await vscode.commands.executeCommand(OPEN, { ...query, mode: "ask", modelSelector: { vendor: VENDOR, id: model } });
  } else {
    await vscode.commands.executeCommand(OPEN, { ...query, mode: "ask" });
  }
}
