/** What comes of a config that is translated from or to another tool's language, shown before anything is written. */
import path from "node:path";

import * as vscode from "vscode";

import type { TranslationReport } from "../protocol/types";

const SEVERITIES: Record<TranslationReport["findings"][number]["severity"], vscode.DiagnosticSeverity> = {
  error: vscode.DiagnosticSeverity.Error,
  warning: vscode.DiagnosticSeverity.Warning,
  information: vscode.DiagnosticSeverity.Information,
  hint: vscode.DiagnosticSeverity.Hint,
};

/** Shows a file beside what it becomes, which is not on disk until the user saves it. */
export async function showTranslation(source: vscode.Uri, target: string, text: string): Promise<vscode.Uri> {
  const becomes = await unsaved(target, text);
  const title = `${path.basename(source.path)} → ${path.basename(target)} (save to accept)`;
  await vscode.commands.executeCommand("vscode.diff", source, becomes, title);
  return becomes;
}

/** What is not the same in both languages, at its place in the file that is translated. */
export function asDiagnostics({ findings }: TranslationReport, source: string): vscode.Diagnostic[] {
  return findings.map(({ code, message, range: { start, end }, severity }) => {
    const place = new vscode.Range(start.line, start.character, end.line, end.character);
    const diagnostic = new vscode.Diagnostic(place, message, SEVERITIES[severity]);
    diagnostic.code = code;
    diagnostic.source = source;
    return diagnostic;
  });
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
