/** The one status bar item: the progress of the run that is going, otherwise how the server is. */
import * as vscode from "vscode";

import { durationText, lossText, stepText, trackerName, trackerText } from "../runs/describe";
import type { RunStore } from "../runs/runStore";
import type { Server, ServerState } from "../server/server";
import type { RunSummary } from "../protocol/types";

export function createStatusBar(server: Server, store: RunStore): vscode.Disposable {
  const item = vscode.window.createStatusBarItem("peft.status", vscode.StatusBarAlignment.Left, 10);
  item.name = "PEFT Workbench";
  const update = () => {
    const { active } = store;
    if (active && server.state.kind === "running") showRun(item, active);
    else showServer(item, server.state);
  };
  update();
  item.show();
  return vscode.Disposable.from(item, server.onDidChangeState(update), store.onDidChange(update));
}

function showRun(item: vscode.StatusBarItem, run: RunSummary): void {
  const loss = run.metrics.loss;
  const measured = typeof loss === "number" ? `  loss ${lossText(loss)}` : "";
  const doing = run.step > 0 ? `${stepText(run)}${measured}` : run.state;
  item.text = `$(${run.state === "queued" ? "clock" : "loading~spin"}) ${run.name} ${doing}`;
  const facts = [
    ...(run.detail ? [run.detail] : []),
    ...(run.eta_seconds === null ? [] : [`about ${durationText(run.eta_seconds)} left`]),
    ...(run.tracker?.problem == null ? [] : [`${trackerName(run)} ${trackerText(run)}`]),
  ];
  item.tooltip = [...facts, "open the run"].join(" · ");
  item.command = { command: "peft.openRun", title: "Open Run", arguments: [run.id] };
  item.backgroundColor = undefined;
}

const SERVER_TEXT: Record<ServerState["kind"], string> = {
  stopped: "$(circle-slash) PEFT",
  starting: "$(loading~spin) PEFT",
  running: "$(check) PEFT",
  waiting: "$(warning) PEFT: restarting",
  failed: "$(error) PEFT: not running",
};

function showServer(item: vscode.StatusBarItem, state: ServerState): void {
  item.text = SERVER_TEXT[state.kind];
  item.tooltip = state.kind === "failed" ? state.problem.text : "PEFT Workbench: show the log";
  item.command = "peft.showLogs";
  item.backgroundColor = state.kind === "failed" ? new vscode.ThemeColor("statusBarItem.errorBackground") : undefined;
}
