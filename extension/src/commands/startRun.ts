import path from "node:path";

import * as vscode from "vscode";

import { SHOW_PROBLEMS, showProblem } from "../notices";
import { Problem } from "../problem";
import type { RunPanels } from "../panels/runPanels";
import type { Server } from "../server/server";
import type { Training } from "../server/training";
import { inStatusBar } from "./cancellable";
import { configUri, saved } from "./configFile";

/** `PEFT: Run`: saves the file, sees that training is possible, starts the run and shows it. */
export async function startRun(server: Server, training: Training, panels: RunPanels, given: unknown): Promise<void> {
  const uri = configUri(given, "There is no run to start here.");
  await saved(uri, "A run starts from what is on disk.");
  if (!(await training.ensure())) return;
  const { run, findings, error } = await inStatusBar(`Starting the run of ${path.basename(uri.path)}`, () =>
    server.request("peft/run/start", { path: uri.fsPath }),
  );
  if (run) panels.open(run.id);
  else if (findings && findings.length > 0) await showFindings(uri, findings.length, "No run was started");
  else if (error) throw Problem.fromReport(error);
}

/** Says that a config has errors, and leads to them. */
export async function showFindings(uri: vscode.Uri, count: number, outcome: string): Promise<void> {
  const errors = count === 1 ? "an error" : `${count} errors`;
  const problem = new Problem(`${outcome}: ${vscode.workspace.asRelativePath(uri)} has ${errors}.`);
  await showProblem(problem, SHOW_PROBLEMS);
}
