/** Problems as notifications: one plain sentence and what can be done about it. */
import * as vscode from "vscode";

import { Problem } from "./problem";
import { NotTrusted } from "./trust";

export interface Action {
  readonly title: string;
  readonly run: () => unknown;
}

export const SHOW_LOGS: Action = { title: "Show Logs", run: () => vscode.commands.executeCommand("peft.showLogs") };

export const SHOW_PROBLEMS: Action = {
  title: "Show Problems",
  run: () => vscode.commands.executeCommand("workbench.actions.view.problems"),
};

const MANAGE_TRUST: Action = {
  title: "Manage Workspace Trust",
  run: () => vscode.commands.executeCommand("workbench.trust.manage"),
};

export async function showProblem(error: unknown, ...actions: Action[]): Promise<void> {
  const problem = Problem.from(error);
  const isOff = problem instanceof NotTrusted;
  const offered = actions.length > 0 ? actions : [isOff ? MANAGE_TRUST : SHOW_LOGS];
  // Nothing has failed where something is off.
  const show = isOff ? vscode.window.showWarningMessage : vscode.window.showErrorMessage;
  const chosen = await show(problem.text, ...offered.map((action) => action.title));
  await offered.find((action) => action.title === chosen)?.run();
}
