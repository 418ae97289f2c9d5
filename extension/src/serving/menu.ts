/** The menu behind the status bar's item. */
import * as vscode from "vscode";

import type { Action, Entry } from "./menuEntries";

/** Resolves with what was chosen; undefined when nothing was. */
export async function pickAction(items: readonly Entry[]): Promise<Action | undefined> {
  const shown = items.flatMap((entry): (vscode.QuickPickItem & { entry?: Entry })[] => [
    ...(entry.heading ? [{ label: entry.heading, kind: vscode.QuickPickItemKind.Separator }] : []),
    { label: entry.label, description: entry.description, entry },
  ]);
  const picked = await vscode.window.showQuickPick(shown, { title: "PEFT Model Server", matchOnDescription: true });
  return picked?.entry?.action;
}
