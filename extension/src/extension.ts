/** Wiring: makes the parts and introduces them to each other. */
import * as vscode from "vscode";

import { InlineCompletion } from "./chat/inlineCompletion";
import { LastEditor } from "./chat/lastEditor";
import { ChatModels } from "./chat/models";
import { registerParticipant } from "./chat/participant";
import { registerProvider } from "./chat/provider";
import { registerCommands } from "./commands/register";
import { ModelLibrary } from "./library/modelLibrary";
import { ChatPanels } from "./panels/chatPanels";
import { RunPanels } from "./panels/runPanels";
import { showProblem } from "./notices";
import { announceLowDisk } from "./runs/cleanUp";
import { announceAnomalies } from "./runs/anomalyNotice";
import { offerAnomalyActions } from "./runs/anomalyActions";
import { markAnomalies } from "./runs/anomalyMarks";
import { announceEnds } from "./runs/endNotice";
import { announceInterruptions } from "./runs/interruptionNotice";
import { RunStore } from "./runs/runStore";
import { Versions } from "./runs/versions";
import { announceFailures } from "./server/failureNotice";
import { Server } from "./server/server";
import { affectsServer, readSettings } from "./server/settings";
import { Setup } from "./server/setup";
import { Training } from "./server/training";
import { ModelServer } from "./serving/modelServer";
import { createServingStatus } from "./serving/statusBar";
import { createLanguageStatus } from "./views/languageStatus";
import { ModelsView } from "./views/modelsView";
import { Pages } from "./views/pages";
import { RunsTree } from "./views/runsTree";
import { createStatusBar } from "./views/statusBar";
import { createVersionsView } from "./views/versionsTree";

let server: Server | undefined;

export function activate(context: vscode.ExtensionContext): void {
  const log = vscode.window.createOutputChannel("PEFT Workbench", { log: true });
  const storage = context.globalStorageUri.fsPath;
  const setup = new Setup(context, log);
  server = new Server(setup, log);
  const training = new Training(setup, server, storage);
  const store = new RunStore(server, log);
  const versions = new Versions(server, store, log);
  const tree = new RunsTree(server, store, versions);
  const panels = new RunPanels(server, store, context.extensionUri);
  const pages = new Pages();
  const models = new ChatModels(server, store, context.workspaceState);
  const serving = new ModelServer(server, log);
  const provider = registerProvider(server, models, serving);
  const library = new ModelLibrary(server, serving, store, log);
  const modelsView = new ModelsView(server, library);
  const lastEditor = new LastEditor();
  const chats = new ChatPanels({
    server,
    serving,
    models,
    lastEditor,
    extensionUri: context.extensionUri,
    log,
    memory: context.workspaceState,
  });
  const view = vscode.window.createTreeView("peft.runs", { treeDataProvider: tree });
  const running = server;

  context.subscriptions.push(
    log,
    store,
    versions,
    tree,
    view,
    createVersionsView(versions),
    view.onDidChangeVisibility(({ visible }) => visible && running.start()),
    panels.register(),
    pages.register(),
    models.register(),
    serving.register(),
    library,
    modelsView,
    lastEditor.register(),
    new InlineCompletion(serving, log).register(),
    chats.register(),
    registerParticipant({ server: running, training, store, models, extensionUri: context.extensionUri }),
    ...(provider ? [provider] : []),
    registerCommands({
      server: running,
      setup,
      training,
      store,
      panels,
      models,
      library,
      modelsView,
      chats,
      serving,
      pages,
      log,
    }),
    createStatusBar(running, store),
    createServingStatus(serving, models),
    createLanguageStatus(running),
    announceFailures(running, storage),
    announceEnds(store, context.globalState),
    announceInterruptions(store, context.globalState),
    announceAnomalies(store),
    announceLowDisk(running),
    markAnomalies(store),
    offerAnomalyActions(store),
    running.onDidChangeState(({ kind }) => vscode.commands.executeCommand("setContext", "peft.server", kind)),
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (affectsServer(event) && running.state.kind !== "stopped") void running.restart();
    }),
    // What the workspace's settings say counts from now on.
    vscode.workspace.onDidGrantWorkspaceTrust(() => running.state.kind !== "stopped" && running.restart()),
  );
  startWhenWanted(context, running, view.visible);
  if (readSettings().autoStart && vscode.workspace.isTrusted) {
    serving.start().catch((error: unknown) => void showProblem(error));
  }
}

/**
 * The extension is woken by every chat that looks for models, so being awake is no reason to start a daemon, let alone to make
 * an environment for one. A file of ours or our view is.
 */
function startWhenWanted(context: vscode.ExtensionContext, server: Server, viewIsVisible: boolean): void {
  const isOurs = ({ languageId }: vscode.TextDocument) => languageId === "peft-yaml";
  if (viewIsVisible || vscode.workspace.textDocuments.some(isOurs)) void server.start();
  context.subscriptions.push(vscode.workspace.onDidOpenTextDocument((document) => isOurs(document) && server.start()));
}

export async function deactivate(): Promise<void> {
  await server?.dispose();
}
