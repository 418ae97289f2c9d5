/** What can be done with the model server. */
import * as vscode from "vscode";

import type { ChatModels } from "../chat/models";
import type { Server } from "../server/server";
import { FORMS } from "../serving/endpoint";
import { pickAction } from "../serving/menu";
import { entries } from "../serving/menuEntries";
import type { ModelServer } from "../serving/modelServer";
import type { Pages } from "../views/pages";

export interface ServingParts {
  readonly server: Server;
  readonly serving: ModelServer;
  readonly models: ChatModels;
  readonly pages: Pages;
}

/** `PEFT: Model Server`: the menu behind the status bar's item. */
export async function modelServerMenu(parts: ServingParts): Promise<void> {
  const { serving, models } = parts;
  const action = await pickAction(entries(serving.status, await models.list()));
  switch (action?.type) {
    case "start":
      return serving.start();
    case "stop":
      return serving.stop();
    case "restart":
      return serving.restart();
    case "switch":
      return busy("Switching the model", () => serving.switchTo(action.model));
    case "unload":
      return serving.unload(action.model);
    case "copyEndpoint":
      return copyEndpoint(parts);
    case "log":
      return openModelServerLog(parts);
    case "chat":
      await vscode.commands.executeCommand("peft.openChat");
      return;
    case undefined:
      return;
  }
}

/** `PEFT: Copy Model Server Endpoint`: for the settings of another program. */
export async function copyEndpoint({ serving, models }: ServingParts): Promise<void> {
  const items = FORMS.map((form) => ({ label: form.label, detail: form.detail, form }));
  const picked = await vscode.window.showQuickPick(items, { title: "Copy the endpoint for", matchOnDetail: true });
  if (!picked) return;
  const [endpoint, known] = await Promise.all([serving.endpoint(), models.list()]);
  await vscode.env.clipboard.writeText(picked.form.text(endpoint, known));
  void vscode.window.showInformationMessage(
    "Copied, with the token of your model server in it: whoever has it can use your models. Paste it only into settings that you keep to yourself.",
  );
}

export async function openModelServerLog({ server, pages }: ServingParts): Promise<void> {
  const { text } = await server.request("peft/serve/log", {});
  const document = await vscode.workspace.openTextDocument(pages.write("Model Server.log", text ?? ""));
  await vscode.window.showTextDocument(document, { preview: true });
}

async function busy(title: string, work: () => Promise<void>): Promise<void> {
  await vscode.window.withProgress({ location: vscode.ProgressLocation.Window, title }, work);
}
