/** What can be done with a run that exists. */
import * as vscode from "vscode";

import type { ChatModels } from "../chat/models";
import { openChat } from "../chat/openChat";
import type { RunPanels } from "../panels/runPanels";
import { Problem } from "../problem";
import { isActive } from "../protocol/words";
import type { RunStore } from "../runs/runStore";
import type { Server } from "../server/server";
import { pickRun } from "./pickRun";
import { requireTrust } from "./trust";

export async function stopRun(server: Server, store: RunStore, given: unknown): Promise<void> {
  const run = await pickRun(store, given, isActive, "No run is going.");
  if (!run) return;
  const { error } = await server.request("peft/run/stop", { run_id: run.id });
  if (error) throw Problem.fromReport(error);
}

export async function openRun(store: RunStore, panels: RunPanels, given: unknown): Promise<void> {
  const run = await pickRun(store, given, () => true, "There are no runs yet.");
  if (run) panels.open(run.id, run.name);
}

export async function chatWithAdapter(store: RunStore, models: ChatModels, given: unknown): Promise<void> {
  if (!(await requireTrust("Chats"))) return;
  const none = "There is no adapter to chat with yet: complete a run first.";
  const run = await pickRun(store, given, ({ chat_model }) => chat_model !== null, none);
  if (!run?.chat_model) return;
  await models.choose(run.chat_model);
  await openChat(run.chat_model);
}

export async function chooseChatModel(models: ChatModels): Promise<void> {
  if (!(await requireTrust("Chats"))) return;
  if (await models.letChoose()) await openChat((await models.current()).id);
}

export async function openRunConfig(store: RunStore, given: unknown): Promise<void> {
  const run = await pickRun(store, given, () => true, "There are no runs yet.");
  if (run) await vscode.window.showTextDocument(vscode.Uri.file(run.config_path));
}

export async function revealRunFolder(store: RunStore, given: unknown): Promise<void> {
  const run = await pickRun(store, given, () => true, "There are no runs yet.");
  if (run) await vscode.commands.executeCommand("revealFileInOS", vscode.Uri.file(run.directory));
}
