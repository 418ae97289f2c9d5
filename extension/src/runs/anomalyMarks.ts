/** Marks, in the config of a run that goes wrong, the key to look at first. */
import * as vscode from "vscode";

import type { RunSummary } from "../protocol/types";
import type { Anomaly } from "../protocol/words";
import { evidenceText } from "./describe";
import type { RunStore } from "./runStore";

export const MARK_SOURCE = "PEFT run";

export function markAnomalies(store: RunStore): vscode.Disposable {
  const marks = vscode.languages.createDiagnosticCollection("peft.runs");
  let shown = "";
  const update = async () => {
    const wrong = store.runs.filter((run) => run.anomalies?.length);
    // Runs change at every step, and what is wrong with them seldom does.
    const now = JSON.stringify(wrong.map((run) => [run.id, run.anomalies?.map(({ id }) => id)]));
    if (now === shown) return;
    shown = now;
    const configs = [...new Set(wrong.map((run) => run.config_path))];
    const entries = await Promise.all(
      configs.map((config) =>
        diagnosticsOf(
          vscode.Uri.file(config),
          wrong.filter((run) => run.config_path === config),
        ),
      ),
    );
    if (now !== shown) return;
    marks.clear();
    for (const [uri, diagnostics] of entries) marks.set(uri, diagnostics);
  };
  return vscode.Disposable.from(
    marks,
    store.onDidChange(() => void update()),
  );
}

async function diagnosticsOf(uri: vscode.Uri, runs: readonly RunSummary[]): Promise<[vscode.Uri, vscode.Diagnostic[]]> {
  const symbols = await outline(uri);
  const diagnostics = runs.flatMap((run) =>
    (run.anomalies ?? []).map((anomaly) => diagnosticOf(run, anomaly, rangeOf(symbols, anomaly.key))),
  );
  return [uri, diagnostics];
}

function diagnosticOf(run: RunSummary, anomaly: Anomaly, range: vscode.Range): vscode.Diagnostic {
  const diagnostic = new vscode.Diagnostic(range, markText(run, anomaly), vscode.DiagnosticSeverity.Warning);
  diagnostic.source = MARK_SOURCE;
  diagnostic.code = anomaly.kind;
  return diagnostic;
}

/** Names the run and the step, so that it is of one anomaly only. */
export function markText(run: RunSummary, anomaly: Anomaly): string {
  return `Run ${run.id}, step ${anomaly.step}: ${anomaly.cause} Seen: ${evidenceText(anomaly.evidence)}.`;
}

async function outline(uri: vscode.Uri): Promise<vscode.DocumentSymbol[]> {
  try {
    const symbols = await vscode.commands.executeCommand<vscode.DocumentSymbol[] | undefined>(
      "vscode.executeDocumentSymbolProvider",
      uri,
    );
    return symbols ?? [];
  } catch {
    // The config was moved or removed while its run went on.
    return [];
  }
}

/** The key where it is written, else the section that it would stand in, else the top of the file. */
function rangeOf(symbols: readonly vscode.DocumentSymbol[], key: string | null): vscode.Range {
  let range = new vscode.Range(0, 0, 0, 0);
  let level = symbols;
  for (const name of key?.split(".") ?? []) {
    const found = level.find((symbol) => symbol.name === name);
    if (!found) break;
    range = found.selectionRange;
    level = found.children;
  }
  return range;
}
