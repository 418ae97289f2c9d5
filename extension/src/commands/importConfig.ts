import { existsSync } from "node:fs";
import path from "node:path";

import * as vscode from "vscode";

import { SHOW_PROBLEMS, showProblem } from "../notices";
import { Problem } from "../problem";
import type { ImportParams } from "../protocol/types";
import type { Server } from "../server/server";
import { inStatusBar } from "./cancellable";
import { importTarget } from "./translationTarget";
import { asDiagnostics, showTranslation } from "./translation";

const TOOLS: readonly { readonly label: string; readonly tool: ImportParams["tool"] }[] = [
  { label: "Axolotl", tool: "axolotl" },
  { label: "LLaMA-Factory", tool: "llamafactory" },
  { label: "torchtune", tool: "torchtune" },
  { label: "Oumi", tool: "oumi" },
  { label: "TRL", tool: "trl" },
];

/**
 * `PEFT: Import a Config from Another Tool`: shows the file beside what it becomes, which is not on disk until the user saves it.
 * What is not the same is marked in the file.
 */
export async function importConfig(
  server: Server,
  remarks: vscode.DiagnosticCollection,
  given: unknown,
): Promise<void> {
  const picked = await vscode.window.showQuickPick(TOOLS, { placeHolder: "Which tool is the config for?" });
  if (!picked) return;
  const source = given instanceof vscode.Uri ? given : await chooseFile();
  if (!source) return;
  const report = await inStatusBar(`Translating ${path.basename(source.path)}`, () =>
    server.request("peft/config/import", { tool: picked.tool, path: source.fsPath }),
  );
  const marks = asDiagnostics(report, "peftw import");
  if (!report.config) {
    const why = report.findings.find(({ severity }) => severity === "error")?.message ?? "";
    const isShown = await canBeShown(source);
    if (isShown) remarks.set(source, marks);
    const problem = new Problem(`${path.basename(source.path)} was not imported: ${why}`);
    await showProblem(problem, ...(isShown ? [SHOW_PROBLEMS] : []));
    return;
  }
  remarks.set(source, marks);
  await showTranslation(source, importTarget(source.fsPath, existsSync), report.config);
}

/** Shows a file that was refused, unless the editor refuses it as well, as it does what is no text. */
async function canBeShown(source: vscode.Uri): Promise<boolean> {
  try {
    await vscode.window.showTextDocument(source);
    return true;
  } catch {
    return false;
  }
}

async function chooseFile(): Promise<vscode.Uri | undefined> {
  const chosen = await vscode.window.showOpenDialog({
    title: "Choose the config to import",
    filters: { Configs: ["yaml", "yml", "json"] },
  });
  return chosen?.[0];
}
