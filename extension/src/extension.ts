/** Wiring: makes the parts, introduces them to each other, and starts the server. */
import * as vscode from "vscode";

import { ChatModels } from "./chat/models";
import { registerParticipant } from "./chat/participant";
import { registerProvider } from "./chat/provider";
import { registerCommands } from "./commands/register";
import { RunPanels } from "./panels/runPanels";
import { announceEnds } from "./runs/endNotice";
import { RunStore } from "./runs/runStore";
import { announceFailures } from "./server/failureNotice";
import { Server } from "./server/server";
import { affectsServer } from "./server/settings";
import { Setup } from "./server/setup";
import { Training } from "./server/training";
import { createLanguageStatus } from "./views/languageStatus";
import { RunsTree } from "./views/runsTree";
import { createStatusBar } from "./views/statusBar";

let server: Server | undefined;

export function activate(context: vscode.ExtensionContext): void {
  const log = vscode.window.createOutputChannel("PEFT Workbench", { log: true });
  const storage = context.globalStorageUri.fsPath;
  const setup = new Setup(context, log);
  server = new Server(setup, log);
  const training = new Training(setup, server, storage);
  const store = new RunStore(server, log);
  const tree = new RunsTree(store);
  const panels = new RunPanels(server, context.extensionUri);
  const models = new ChatModels(server, store, context.workspaceState);
  const provider = registerProvider(server, models);
  const running = server;

  context.subscriptions.push(
    log,
    store,
    tree,
    vscode.window.registerTreeDataProvider("peft.runs", tree),
    panels.register(),
    models.register(),
    registerParticipant(running, models, context.extensionUri),
    ...(provider ? [provider] : []),
    registerCommands({ server: running, setup, training, store, panels, models, log }),
    createStatusBar(running, store),
    createLanguageStatus(running),
    announceFailures(running, storage),
    announceEnds(store, context.globalState),
    running.onDidChangeState(({ kind }) => vscode.commands.executeCommand("setContext", "peft.server", kind)),
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (affectsServer(event)) void running.restart();
    }),
  );
  void running.restart();
}

export async function deactivate(): Promise<void> {
  await server?.dispose();
}
