import * as vscode from "vscode";

import type { RunSummary } from "../protocol/types";
import { progressText } from "../runs/describe";
import type { RunStore } from "../runs/runStore";

/**
 * Finds the run that a command is about: the one it was given, the only one there is, or the one the user picks.
 *
 * @param given a run's id, from a view or a button; anything else that the editor passes along is not one.
 * @param none said when there is no run that fits.
 */
export async function pickRun(
  store: RunStore,
  given: unknown,
  fits: (run: RunSummary) => boolean,
  none: string,
): Promise<RunSummary | undefined> {
  if (typeof given === "string") return store.get(given);
  await store.refresh();
  const runs = store.runs.filter(fits);
  if (runs.length === 0) void vscode.window.showInformationMessage(none);
  if (runs.length <= 1) return runs[0];
  const items = runs.map((run) => ({ label: run.name, description: progressText(run), detail: run.id, run }));
  const picked = await vscode.window.showQuickPick(items, {
    placeHolder: "Choose a run",
    matchOnDescription: true,
    matchOnDetail: true,
  });
  return picked?.run;
}
