/** Gaining space: what could be removed is shown, and what a person chooses of it is removed. */
import * as vscode from "vscode";

import { inStatusBar } from "../commands/cancellable";
import type { CleanupPlan, Removable } from "../protocol/types";
import type { Server } from "../server/server";
import { sizeText } from "./describe";
import type { RunStore } from "./runStore";

export async function cleanUpRuns(server: Server, store: RunStore): Promise<void> {
  const plan = await inStatusBar("Looking for what could be removed", () => server.request("peft/runs/cleanup", {}));
  if (plan.items.length === 0) {
    void vscode.window.showInformationMessage("There is nothing that could be removed: no run rests.");
    return;
  }
  const chosen = await choose(plan);
  if (!chosen?.length || !(await agrees(chosen))) return;
  const ids = chosen.map(({ id }) => id);
  const result = await inStatusBar("Removing", () => server.request("peft/runs/clean", { ids }));
  // The daemon tells of runs that change, and not of those that are gone.
  await store.refresh();
  const kept = result.kept.length > 0 ? ` ${result.kept.length} were kept, because they are in use or pinned.` : "";
  void vscode.window.showInformationMessage(`${sizeText(result.bytes)} were freed.${kept}`);
}

/** Offers to clean up when the disk that holds the runs becomes full. */
export function announceLowDisk(server: Server): vscode.Disposable {
  return server.on("peft/disk/low")(async (plan) => {
    const cleanUp = "Clean Up…";
    const text = `Only ${sizeText(plan.free_bytes)} are free on the disk that holds your runs.`;
    if ((await vscode.window.showWarningMessage(text, cleanUp)) === cleanUp)
      await vscode.commands.executeCommand("peft.cleanUpRuns");
  });
}

async function choose(plan: CleanupPlan): Promise<Removable[] | undefined> {
  const items = plan.items.map((item) => ({
    label: item.id,
    description: sizeText(item.bytes),
    detail: item.reason,
    picked: item.preselected,
    item,
  }));
  const picked = await vscode.window.showQuickPick(items, {
    canPickMany: true,
    matchOnDetail: true,
    title: "Clean Up Runs",
    placeHolder: `${sizeText(plan.free_bytes)} are free. Choose what to remove; nothing else is touched`,
  });
  return picked?.map(({ item }) => item);
}

async function agrees(chosen: readonly Removable[]): Promise<boolean> {
  const remove = "Remove";
  const bytes = chosen.reduce((sum, item) => sum + item.bytes, 0);
  const detail = chosen.map(({ id }) => id).join("\n");
  const text = `Remove ${chosen.length} ${chosen.length === 1 ? "thing" : "things"}, ${sizeText(bytes)}, for good?`;
  return (await vscode.window.showWarningMessage(text, { modal: true, detail }, remove)) === remove;
}
