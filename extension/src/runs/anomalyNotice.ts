/** Tells, once, that something is wrong with a run, and offers what can be done about it. */
import * as vscode from "vscode";

import type { RunSummary } from "../protocol/types";
import type { Anomaly } from "../protocol/words";
import type { RunStore } from "./runStore";

export function announceAnomalies(store: RunStore): vscode.Disposable {
  const told = new Set<string>();
  /** By run, the kinds that stood when it was last seen: what comes and goes is told in the panel, not each time here. */
  const standing = new Map<string, ReadonlySet<string>>();
  return store.onDidChange(({ changed }) => {
    for (const run of changed) {
      const anomalies = run.anomalies ?? [];
      const before = standing.get(run.id);
      standing.set(run.id, new Set(anomalies.map(({ kind }) => kind)));
      for (const anomaly of anomalies) {
        const key = `${run.id} ${anomaly.id}`;
        if (told.has(key) || before?.has(anomaly.kind)) continue;
        told.add(key);
        void announce(run, anomaly);
      }
    }
  });
}

async function announce(run: RunSummary, anomaly: Anomaly): Promise<void> {
  const open = "Open";
  const titles = anomaly.actions.map(({ title }) => title);
  const text = `${run.name}, step ${anomaly.step}: ${anomaly.cause}`;
  const chosen = await vscode.window.showWarningMessage(text, ...titles, open);
  if (chosen === open) await vscode.commands.executeCommand("peft.openRun", run.id);
  const action = anomaly.actions.find(({ title }) => title === chosen)?.action;
  if (action) await vscode.commands.executeCommand("peft.recoverRun", run.id, action, anomaly.id);
}
