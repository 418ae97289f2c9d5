/** What can be done about an anomaly, offered where it is marked in the config. */
import * as vscode from "vscode";

import { isActive } from "../protocol/words";
import { MARK_SOURCE, markText } from "./anomalyMarks";
import type { RunStore } from "./runStore";

export function offerAnomalyActions(store: RunStore): vscode.Disposable {
  return vscode.languages.registerCodeActionsProvider(
    { language: "peft-yaml" },
    { provideCodeActions: (document, _range, { diagnostics }) => actionsFor(store, document, diagnostics) },
    { providedCodeActionKinds: [vscode.CodeActionKind.QuickFix] },
  );
}

function actionsFor(
  store: RunStore,
  document: vscode.TextDocument,
  diagnostics: readonly vscode.Diagnostic[],
): vscode.CodeAction[] {
  const marks = diagnostics.filter(({ source }) => source === MARK_SOURCE);
  if (marks.length === 0) return [];
  return store.runs
    .filter((run) => isActive(run) && run.config_path === document.uri.fsPath)
    .flatMap((run) =>
      (run.anomalies ?? []).flatMap((anomaly) => {
        const mark = marks.find(({ message }) => message === markText(run, anomaly));
        if (!mark) return [];
        return anomaly.actions.map(({ action, title }) => {
          const made = new vscode.CodeAction(`${title} (run ${run.id})`, vscode.CodeActionKind.QuickFix);
          made.command = { command: "peft.recoverRun", title, arguments: [run.id, action, anomaly.id] };
          made.diagnostics = [mark];
          return made;
        });
      }),
    );
}
