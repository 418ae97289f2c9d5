/** Binds every command that package.json declares to what it does. */
import * as vscode from "vscode";

import type { ChatModels } from "../chat/models";
import { showProblem } from "../notices";
import type { ChatPanels } from "../panels/chatPanels";
import type { ModelLibrary } from "../library/modelLibrary";
import type { RunPanels } from "../panels/runPanels";
import type { RunStore } from "../runs/runStore";
import type { Server } from "../server/server";
import type { Setup } from "../server/setup";
import type { Training } from "../server/training";
import { type Command, COMMANDS } from "../restricted";
import type { ModelServer } from "../serving/modelServer";
import { requireTrust } from "../trust";
import type { ModelsView } from "../views/modelsView";
import type { Pages } from "../views/pages";
import { cleanUpRuns } from "../runs/cleanUp";
import { askAboutSelection, chatWithAdapter, chooseChatModel, compareAnswers } from "./chatCommands";
import { compareConfigs, dryRun, estimate, fixAll } from "./configCommands";
import { convertModel } from "./convertModel";
import { exportConfig } from "./exportConfig";
import { importConfig } from "./importConfig";
import {
  addModel,
  chatWithModel,
  copyModelId,
  filterModels,
  forgetModel,
  openDefinition,
  revealModel,
  scanModels,
  useAsBase,
} from "./modelCommands";
import {
  cancelRun,
  moveRun,
  openRun,
  openRunConfig,
  pauseRun,
  recoverRun,
  resumeRun,
  revealRunFolder,
  stopRun,
} from "./runCommands";
import { exportRun, importRun, noteRun, pinRun, revealMade, tagRun } from "./runRecords";
import { copyEndpoint, modelServerMenu, openModelServerLog } from "./servingCommands";
import { startRun } from "./startRun";

export interface Parts {
  readonly server: Server;
  readonly setup: Setup;
  readonly training: Training;
  readonly store: RunStore;
  readonly panels: RunPanels;
  readonly models: ChatModels;
  readonly library: ModelLibrary;
  readonly modelsView: ModelsView;
  readonly chats: ChatPanels;
  readonly serving: ModelServer;
  readonly pages: Pages;
  readonly log: vscode.LogOutputChannel;
}

export function registerCommands(parts: Parts): vscode.Disposable {
  const { server, setup, training, store, panels, models, library, modelsView, chats, serving, pages, log } = parts;
  const remarks = {
    import: vscode.languages.createDiagnosticCollection("peft.import"),
    export: vscode.languages.createDiagnosticCollection("peft.export"),
  };
  const handlers: Record<Command, (given: unknown, ...more: unknown[]) => unknown> = {
    "peft.run": (given) => startRun(server, training, panels, given),
    "peft.estimate": (given) => estimate(server, pages, given),
    "peft.dryRun": (given) => dryRun(server, pages, given),
    "peft.compareConfigs": (given) => compareConfigs(server, pages, given),
    "peft.fixAll": (given) => fixAll(given),
    "peft.importConfig": (given) => importConfig(server, remarks.import, given),
    "peft.exportConfig": (given) => exportConfig(server, remarks.export, given),
    "peft.pauseRun": (given) => pauseRun(server, store, given),
    "peft.resumeRun": (given) => resumeRun(server, store, panels, given),
    "peft.stopRun": (given) => stopRun(server, store, given),
    "peft.moveRunFirst": (given) => moveRun(server, store, given, "first"),
    "peft.moveRunUp": (given) => moveRun(server, store, given, "up"),
    "peft.moveRunDown": (given) => moveRun(server, store, given, "down"),
    "peft.moveRunLast": (given) => moveRun(server, store, given, "last"),
    "peft.cancelRun": (given) => cancelRun(server, store, given),
    "peft.recoverRun": (given, action, anomaly, undoes) => recoverRun(server, given, action, anomaly, undoes),
    "peft.cleanUpRuns": () => cleanUpRuns(server, store),
    "peft.noteRun": (given) => noteRun(server, store, given),
    "peft.tagRun": (given) => tagRun(server, store, given),
    "peft.pinRun": (given) => pinRun(server, store, given, true),
    "peft.unpinRun": (given) => pinRun(server, store, given, false),
    "peft.exportRun": (given) => exportRun(server, store, given),
    "peft.importRun": () => importRun(server, store),
    "peft.revealMade": (given) => revealMade(store, given),
    "peft.openRun": (given) => openRun(store, panels, given),
    "peft.openRunConfig": (given) => openRunConfig(store, given),
    "peft.revealRunFolder": (given) => revealRunFolder(store, given),
    "peft.chatWithAdapter": (given) => chatWithAdapter(store, models, chats, given),
    "peft.openChat": () => chats.open(),
    "peft.askAboutSelection": () => askAboutSelection(chats),
    "peft.compareAnswers": (given) => compareAnswers(chats, given),
    "peft.chooseChatModel": () => chooseChatModel(models),
    "peft.addModel": () => addModel(library),
    "peft.scanModels": () => scanModels(library),
    "peft.filterModels": () => filterModels(library),
    "peft.chatWithModel": (given) => chatWithModel(library, chats, given),
    "peft.copyModelId": (given) => copyModelId(library, given),
    "peft.revealModel": (given) => revealModel(library, given),
    "peft.openModelDefinition": (given) => openDefinition(library, given),
    "peft.convertModel": (given) => convertModel(library, modelsView, given),
    "peft.useModelAsBase": (given) => useAsBase(library, given),
    "peft.forgetModel": (given) => forgetModel(library, given),
    "peft.startModelServer": () => serving.start(),
    "peft.stopModelServer": () => serving.stop(),
    "peft.restartModelServer": () => serving.restart(),
    "peft.modelServerMenu": () => modelServerMenu(parts),
    "peft.copyEndpoint": () => copyEndpoint(parts),
    "peft.showModelServerLog": () => openModelServerLog(parts),
    "peft.restartServer": () => server.restart(),
    "peft.showLogs": () => log.show(),
    "peft.setUpEnvironment": async () => {
      await setup.setUp();
      await server.restart();
    },
  };
  return vscode.Disposable.from(
    ...Object.values(remarks),
    vscode.workspace.onDidCloseTextDocument(({ uri }) =>
      Object.values(remarks).forEach((collection) => collection.delete(uri)),
    ),
    ...(Object.keys(handlers) as Command[]).map((id) =>
      vscode.commands.registerCommand(id, async (given: unknown, ...more: unknown[]) => {
        const off = COMMANDS[id];
        try {
          if (off !== "works") requireTrust(off);
          await handlers[id](given, ...more);
        } catch (error) {
          log.error(error instanceof Error ? error : String(error));
          // Not awaited: a command is done when it has failed, not when somebody has read why.
          void showProblem(error);
        }
      }),
    ),
  );
}
