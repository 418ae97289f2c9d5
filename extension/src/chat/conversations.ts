/** The list of kept conversations: find one, open it, give it another name, write it out, delete it. */
import os from "node:os";

import * as vscode from "vscode";

import { showProblem } from "../notices";
import type { ConversationSummary } from "../protocol/types";
import { counted } from "../runs/describe";
import type { Server } from "../server/server";

const RENAME: vscode.QuickInputButton = { iconPath: new vscode.ThemeIcon("edit"), tooltip: "Rename" };
const EXPORT: vscode.QuickInputButton = { iconPath: new vscode.ThemeIcon("export"), tooltip: "Export" };
const DELETE: vscode.QuickInputButton = { iconPath: new vscode.ThemeIcon("trash"), tooltip: "Delete" };

interface Item extends vscode.QuickPickItem {
  readonly conversation: ConversationSummary;
}

/** What a list has changed beside what was chosen from it. */
export interface ListChanges {
  onRenamed(conversation: ConversationSummary): void;
  onDeleted(id: string): void;
}

/** Resolves with the id of the conversation that was chosen; undefined when none was. */
export async function pickConversation(server: Server, changes: ListChanges): Promise<string | undefined> {
  const pick = vscode.window.createQuickPick<Item>();
  pick.title = "Chat History";
  pick.placeholder = "Search in titles, prompts and answers";
  const show = async () => {
    pick.busy = true;
    const text = pick.value;
    try {
      const { conversations } = await server.request("peft/conversations/list", { text });
      if (pick.value === text) pick.items = conversations.map(item);
    } finally {
      if (pick.value === text) pick.busy = false;
    }
  };
  const change = async ({ item: { conversation }, button }: vscode.QuickPickItemButtonEvent<Item>) => {
    if (button === EXPORT) return exportConversation(server, conversation.id);
    if (button === RENAME) {
      const renamed = await renameConversation(server, conversation);
      if (renamed) changes.onRenamed(renamed);
    } else if (await deleteConversation(server, conversation)) {
      changes.onDeleted(conversation.id);
    }
  };
  // Nobody waits for these, so what goes wrong is told here.
  pick.onDidChangeValue(() => show().catch((error: unknown) => void showProblem(error)));
  pick.onDidTriggerItemButton((event) => change(event).catch((error: unknown) => void showProblem(error)));
  try {
    await show();
    pick.show();
    return await new Promise<string | undefined>((resolve) => {
      pick.onDidAccept(() => resolve(pick.activeItems[0]?.conversation.id));
      pick.onDidHide(() => resolve(undefined));
    });
  } finally {
    pick.dispose();
  }
}

export async function renameConversation(
  server: Server,
  { id, title }: ConversationSummary,
): Promise<ConversationSummary | undefined> {
  const given = await vscode.window.showInputBox({ prompt: "The conversation's name", value: title });
  const wanted = given?.trim();
  return wanted ? server.request("peft/conversations/rename", { id, title: wanted.slice(0, 120) }) : undefined;
}

export async function exportConversation(server: Server, id: string): Promise<void> {
  const formats = [
    { label: "Markdown", description: "to read", format: "markdown" as const },
    { label: "JSON", description: "everything that is known of it", format: "json" as const },
  ];
  const chosen = await vscode.window.showQuickPick(formats, { placeHolder: "Export the conversation as" });
  if (!chosen) return;
  const { text, file_name } = await server.request("peft/conversations/export", { id, format: chosen.format });
  const folder = vscode.workspace.workspaceFolders?.[0]?.uri ?? vscode.Uri.file(os.homedir());
  const target = await vscode.window.showSaveDialog({ defaultUri: vscode.Uri.joinPath(folder, file_name) });
  if (!target) return;
  await vscode.workspace.fs.writeFile(target, new TextEncoder().encode(text));
  await vscode.window.showTextDocument(target);
}

async function deleteConversation(server: Server, { id, title }: ConversationSummary): Promise<boolean> {
  const remove = "Delete";
  const detail = "It cannot be brought back.";
  const chosen = await vscode.window.showWarningMessage(
    `Delete the conversation “${title}”?`,
    { modal: true, detail },
    remove,
  );
  if (chosen !== remove) return false;
  await server.request("peft/conversations/delete", { id });
  return true;
}

function item(conversation: ConversationSummary): Item {
  const { title, exchanges, updated, model } = conversation;
  return {
    conversation,
    label: title,
    description: new Date(updated).toLocaleString(),
    detail: `${counted(exchanges, "prompt")} · ${model}`,
    buttons: [EXPORT, RENAME, DELETE],
    // The daemon has searched already, in more than the editor sees.
    alwaysShow: true,
  };
}
