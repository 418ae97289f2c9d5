/** What the language status of a `.peft.yaml` editor says of the server. */
import * as vscode from "vscode";

import type { Server, ServerState } from "../server/server";

const SHOW_LOGS: vscode.Command = { command: "peft.showLogs", title: "Show Logs" };
const RESTART: vscode.Command = { command: "peft.restartServer", title: "Restart" };

export function createLanguageStatus(server: Server): vscode.Disposable {
  const item = vscode.languages.createLanguageStatusItem("peft.server", { language: "peft-yaml" });
  item.name = "PEFT Workbench";
  const update = () => show(item, server.state);
  update();
  return vscode.Disposable.from(item, server.onDidChangeState(update));
}

function show(item: vscode.LanguageStatusItem, state: ServerState): void {
  item.busy = state.kind === "starting" || state.kind === "waiting";
  item.severity =
    state.kind === "failed" ? vscode.LanguageStatusSeverity.Error : vscode.LanguageStatusSeverity.Information;
  item.text = text(state);
  item.detail = state.kind === "failed" ? state.problem.text : undefined;
  item.command = state.kind === "failed" || state.kind === "stopped" ? RESTART : SHOW_LOGS;
}

function text(state: ServerState): string {
  switch (state.kind) {
    case "running":
      return `PEFT language server ${state.version}`;
    case "starting":
      return "PEFT language server is starting";
    case "waiting":
      return "PEFT language server is being restarted";
    case "stopped":
    case "failed":
      return "PEFT language server is not running";
  }
}
