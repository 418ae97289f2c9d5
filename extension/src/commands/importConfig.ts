import { existsSync } from "node:fs";
import path from "node:path";

import * as vscode from "vscode";

import { showProblem } from "../notices";
import { Problem } from "../problem";
import type { ImportParams, TranslationReport } from "../protocol/types";
import type { Server } from "../server/server";
import { importTarget } from "./importTarget";

const TOOLS: readonly { readonly label: string; readonly tool: ImportParams["tool"] }[] = [
  { label: "Axolotl", tool: "axolotl" },
  { label: "LLaMA-Factory", tool: "llamafactory" },
  { label: "torchtune", tool: "torchtune" },
  { label: "Oumi", tool: "oumi" },
  { label: "TRL", tool: "trl" },
];

const SEVERITIES: Record<TranslationReport["findings"][number]["severity"], vscode.DiagnosticSeverity> = {
  error: vscode.DiagnosticSeverity.Error,
  warning: vscode.DiagnosticSeverity.Warning,
  information: vscode.DiagnosticSeverity.Information,
  hint: vscode.DiagnosticSeverity.Hint,
};

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
  const { config, findings } = await server.request("peft/config/import", { tool: picked.tool, path: source.fsPath });
  remarks.set(source, findings.map(asDiagnostic));
  if (!config) {
    const refused = new Problem(`${path.basename(source.path)} was not imported: ${findings[0]?.message ?? ""}`);
    await vscode.window.showTextDocument(source);
    await showProblem(refused);
    return;
  }
  const target = await unsaved(importTarget(source.fsPath, existsSync), config);
  const title = `${path.basename(source.path)} → ${path.basename(target.path)} (save to accept)`;
  await vscode.commands.executeCommand("vscode.diff", source, target, title);
}

/** Makes a document with a name and a text that is nowhere on disk yet. */
async function unsaved(file: string, text: string): Promise<vscode.Uri> {
  const uri = vscode.Uri.file(file).with({ scheme: "untitled" });
  const document = await vscode.workspace.openTextDocument(uri);
  const edit = new vscode.WorkspaceEdit();
  edit.replace(uri, new vscode.Range(0, 0, document.lineCount, 0), text);
  await vscode.workspace.applyEdit(edit);
  return uri;
}

async function chooseFile(): Promise<vscode.Uri | undefined> {
  const chosen = await vscode.window.showOpenDialog({
    title: "Choose the config to import",
    filters: { Configs: ["yaml", "yml", "json"] },
  });
  return chosen?.[0];
}

function asDiagnostic({ code, message, range, severity }: TranslationReport["findings"][number]): vscode.Diagnostic {
  const { start, end } = range;
  const place = new vscode.Range(start.line, start.character, end.line, end.character);
  const diagnostic = new vscode.Diagnostic(place, message, SEVERITIES[severity]);
  diagnostic.code = code;
  diagnostic.source = "peftw import";
  return diagnostic;
}
