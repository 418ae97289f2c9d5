import { existsSync } from "node:fs";

import * as vscode from "vscode";

import type { ConfigExportParams } from "../protocol/types";
import type { Server } from "../server/server";
import { inStatusBar } from "./cancellable";
import { configUri } from "./configFile";
import { showFindings } from "./startRun";
import { exportTarget } from "./translationTarget";
import { asDiagnostics, showTranslation } from "./translation";

const TOOLS: readonly { readonly label: string; readonly tool: ConfigExportParams["tool"] }[] = [
  { label: "Axolotl", tool: "axolotl" },
  { label: "LLaMA-Factory", tool: "llamafactory" },
  { label: "TRL", tool: "trl" },
];

/**
 * `PEFT: Export Config to Another Tool`: shows the config beside what it is for that tool, which is not on disk until the
 * user saves it. What cannot be said there is marked in the config for as long as that is shown.
 */
export async function exportConfig(
  server: Server,
  remarks: vscode.DiagnosticCollection,
  given: unknown,
): Promise<void> {
  const uri = configUri(given, "There is no config to export here.");
  const picked = await vscode.window.showQuickPick(TOOLS, { placeHolder: "Which tool is to read the config?" });
  if (!picked) return;
  const { tool } = picked;
  const report = await inStatusBar(`Translating for ${picked.label}`, () =>
    server.request("peft/config/export", { tool, uri: uri.toString() }),
  );
  if (!report.config) {
    const errors = report.findings.filter(({ severity }) => severity === "error");
    await showFindings(uri, errors.length, "Nothing was exported");
    return;
  }
  remarks.set(uri, asDiagnostics(report, `peftw export ${tool}`));
  const shown = await showTranslation(uri, exportTarget(uri.fsPath, tool, existsSync), report.config);
  const closing = vscode.workspace.onDidCloseTextDocument((document) => {
    if (document.uri.toString() !== shown.toString()) return;
    remarks.delete(uri);
    closing.dispose();
  });
}
