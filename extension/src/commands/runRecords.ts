/** What can be done with a run that is to be kept: notes, files, and taking it to another machine. */
import os from "node:os";
import path from "node:path";

import * as vscode from "vscode";

import { Problem } from "../problem";
import { counted, sizeText, tagsOf } from "../runs/describe";
import type { RunStore } from "../runs/runStore";
import type { Server } from "../server/server";
import type { RunRow } from "../views/runsTree";
import { cancellable } from "./cancellable";
import { pickRun } from "./pickRun";
import { reveal, showWritten } from "./reveal";

const NO_RUNS = "There are no runs yet.";
const ENDED: ReadonlySet<string> = new Set(["completed", "failed", "stopped", "cancelled"]);

export async function noteRun(server: Server, store: RunStore, given: unknown): Promise<void> {
  const run = await pickRun(store, given, () => true, NO_RUNS);
  if (!run) return;
  const prompt = `What is to be remembered of ${run.id}?`;
  const text = await vscode.window.showInputBox({ prompt, value: run.notes?.text ?? "" });
  if (text !== undefined) await server.request("peft/run/note", { run_id: run.id, text });
}

export async function tagRun(server: Server, store: RunStore, given: unknown): Promise<void> {
  const run = await pickRun(store, given, () => true, NO_RUNS);
  if (!run) return;
  const prompt = `Tags of ${run.id}, separated by commas`;
  const text = await vscode.window.showInputBox({ prompt, value: (run.notes?.tags ?? []).join(", ") });
  if (text !== undefined) await server.request("peft/run/note", { run_id: run.id, tags: tagsOf(text) });
}

export async function pinRun(server: Server, store: RunStore, given: unknown, pinned: boolean): Promise<void> {
  const none = pinned ? "There is no run that is not pinned." : "No run is pinned.";
  const run = await pickRun(store, given, ({ notes }) => (notes?.pinned ?? false) !== pinned, none);
  if (run) await server.request("peft/run/note", { run_id: run.id, pinned });
}

export async function exportRun(server: Server, store: RunStore, given: unknown): Promise<void> {
  const run = await pickRun(
    store,
    given,
    ({ state }) => ENDED.has(state),
    "No run has ended, so none can be exported.",
  );
  if (!run) return;
  const checkpoints = await asksForCheckpoints();
  if (checkpoints === undefined) return;
  const folder = vscode.workspace.workspaceFolders?.[0]?.uri ?? vscode.Uri.file(os.homedir());
  const target = await vscode.window.showSaveDialog({
    title: `Export ${run.id}`,
    defaultUri: vscode.Uri.joinPath(folder, `${run.id}.tar.gz`),
    // The editor looks at what follows the last dot only, and would write .tar.gz a second time.
    filters: { Experiments: ["gz", "zip"] },
  });
  if (!target) return;
  const name = path.basename(target.fsPath);
  const manifest = await cancellable(`Exporting ${run.id}`, (_, token) =>
    server.request("peft/run/export", { run_id: run.id, path: target.fsPath, checkpoints }, token),
  );
  if (!manifest) {
    void vscode.window.showInformationMessage(`The export of ${run.id} was cancelled; ${name} was not written.`);
    return;
  }
  const bytes = manifest.files.reduce((sum, file) => sum + file.bytes, 0);
  const text = `${run.id} was exported to ${name}: ${counted(manifest.files.length, "file")}, ${sizeText(bytes)}.`;
  await showWritten(text, target);
}

async function asksForCheckpoints(): Promise<boolean | undefined> {
  const without = { label: "Without Checkpoints", description: "config, measurements, notes, environment and result" };
  const withThem = { label: "With Checkpoints", description: "to go on from them elsewhere; much larger" };
  const chosen = await vscode.window.showQuickPick([without, withThem], { title: "Export Run" });
  return chosen && chosen === withThem;
}

export async function importRun(server: Server, store: RunStore): Promise<void> {
  const chosen = await vscode.window.showOpenDialog({
    title: "Import Run",
    openLabel: "Import",
    filters: { Experiments: ["gz", "zip"] },
  });
  const file = chosen?.[0];
  if (!file) return;
  const name = path.basename(file.fsPath);
  const imported = await cancellable(`Importing ${name}`, (_, token) =>
    server.request("peft/runs/import", { path: file.fsPath }, token),
  );
  if (!imported) {
    void vscode.window.showInformationMessage(`The import of ${name} was cancelled; nothing of it was kept.`);
    return;
  }
  const { run, error } = imported;
  if (error) throw Problem.fromReport(error);
  await store.refresh();
  if (!run) return;
  const open = "Open";
  const next = await vscode.window.showInformationMessage(`${run.name} was imported as run ${run.id}.`, open);
  if (next === open) await vscode.commands.executeCommand("peft.openRun", run.id);
}

/** Shows something that a run made in the system's file manager. */
export async function revealMade(store: RunStore, given: unknown): Promise<void> {
  const row = given as RunRow | undefined;
  const run = row && typeof row !== "string" ? store.get(row.runId) : undefined;
  if (!run || !row || typeof row === "string") return;
  await reveal(vscode.Uri.file(path.join(run.directory, row.made.path)));
}
