/** Problems as notifications: one plain sentence and what can be done about it. */
import * as vscode from "vscode";

import { Problem } from "./problem";

export interface Action {
  readonly title: string;
  readonly run: () => unknown;
}

export const SHOW_LOGS: Action = { title: "Show Logs", run: () => vscode.commands.executeCommand("peft.showLogs") };

export const SHOW_PROBLEMS: Action = {
  title: "Show Problems",
  run: () => vscode.commands.executeCommand("workbench.actions.view.problems"),
};

export async function showProblem(error: unknown, ...actions: Action[]): Promise<void> {
  const problem = Problem.from(error);
  const offered = actions.length > 0 ? actions : [SHOW_LOGS];
  const chosen = await vscode.window.showErrorMessage(problem.text, ...offered.map((action) => action.title));
  await offered.find((action) => action.title === chosen)?.run();
}
