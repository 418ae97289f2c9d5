/** The status bar's item of the model server. */
import * as vscode from "vscode";

import type { ChatModels } from "../chat/models";
import { servingText } from "./describe";
import type { ModelServer } from "./modelServer";

export function createServingStatus(serving: ModelServer, models: ChatModels): vscode.Disposable {
  const item = vscode.window.createStatusBarItem("peft.serving", vscode.StatusBarAlignment.Left, 9);
  item.name = "PEFT Model Server";
  item.command = "peft.modelServerMenu";
  const update = () => {
    // Where there is no daemon there is nothing to say.
    if (!serving.status) {
      item.hide();
      return;
    }
    const { text, facts, isError } = servingText(serving.status, (id) => models.labelOf(id));
    item.text = text;
    item.tooltip = [...facts, "Click for what can be done"].join("\n");
    item.backgroundColor = isError ? new vscode.ThemeColor("statusBarItem.errorBackground") : undefined;
    item.show();
  };
  update();
  return vscode.Disposable.from(item, serving.onDidChange(update), models.onDidChange(update));
}
