import * as vscode from "vscode";

import { Problem } from "../problem";
import type { RunSummary } from "../protocol/types";
import { progressText } from "../runs/describe";
import type { RunStore } from "../runs/runStore";

/**
 * Finds the run that a command is about: the one it was given, the only one there is, or the one the user picks.
 *
 * @param given a run's id, from a view or a button; anything else that the editor passes along is not one.
 * @param none said when there is no run that fits.
 * @throws Problem when the run that was given is gone, or nobody can say which there are.
 */
export async function pickRun(
  store: RunStore,
  given: unknown,
  fits: (run: RunSummary) => boolean,
  none: string,
): Promise<RunSummary | undefined> {
  if (typeof given === "string" && store.get(given)) return store.get(given);
  await store.load();
  if (typeof given === "string") return present(store, given);
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

/** A panel, a row or a notification may outlive its run. */
function present(store: RunStore, id: string): RunSummary {
  const run = store.get(id);
  if (!run) throw new Problem(`There is no run ${id} any more.`, "The Runs view lists those that there are.");
  return run;
}
