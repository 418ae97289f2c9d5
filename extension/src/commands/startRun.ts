import * as vscode from "vscode";

import { showProblem } from "../notices";
import { Problem } from "../problem";
import type { RunPanels } from "../panels/runPanels";
import type { Server } from "../server/server";
import type { Training } from "../server/training";
import { requireTrust } from "./trust";

/** `PEFT: Run`: saves the file, sees that training is possible, starts the run and shows it. */
export async function startRun(server: Server, training: Training, panels: RunPanels, given: unknown): Promise<void> {
  if (!(await requireTrust("Runs"))) return;
  const uri = given instanceof vscode.Uri ? given : vscode.window.activeTextEditor?.document.uri;
  if (uri?.scheme !== "file" || !/\.peft\.ya?ml$/.test(uri.path)) {
    throw new Problem("There is no run to start here.", "Open a .peft.yaml file first.");
  }
  const document = await vscode.workspace.openTextDocument(uri);
  if (document.isDirty && !(await document.save())) {
    throw new Problem(
      `${vscode.workspace.asRelativePath(uri)} could not be saved.`,
      "A run starts from what is on disk.",
    );
  }
  if (!(await training.ensure())) return;
  const { run, findings, error } = await server.request("peft/run/start", { path: uri.fsPath });
  if (run) panels.open(run.id, run.name);
  else if (findings && findings.length > 0) await showFindings(uri, findings.length);
  else if (error) throw Problem.fromReport(error);
}

async function showFindings(uri: vscode.Uri, count: number): Promise<void> {
  const errors = count === 1 ? "an error" : `${count} errors`;
  const problem = new Problem(`No run was started: ${vscode.workspace.asRelativePath(uri)} has ${errors}.`);
  await showProblem(problem, {
    title: "Show Problems",
    run: () => vscode.commands.executeCommand("workbench.actions.view.problems"),
  });
}
