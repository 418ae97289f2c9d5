/** What can be done with a run that exists. */
import { existsSync } from "node:fs";
import path from "node:path";

import * as vscode from "vscode";

import type { RunPanels } from "../panels/runPanels";
import { Problem } from "../problem";
import type { RunResumeResult } from "../protocol/types";
import { can, type QueueMove, type RecoveryAction } from "../protocol/words";
import { placeText } from "../runs/describe";
import type { RunStore } from "../runs/runStore";
import type { Server } from "../server/server";
import { inStatusBar } from "./cancellable";
import { pickRun } from "./pickRun";
import { openFile, reveal } from "./reveal";

export async function stopRun(server: Server, store: RunStore, given: unknown): Promise<void> {
  const run = await pickRun(store, given, (run) => can(run, "stop"), "No run is going.");
  if (!run) return;
  const { error } = await server.request("peft/run/stop", { run_id: run.id });
  if (error) throw Problem.fromReport(error);
}

export async function pauseRun(server: Server, store: RunStore, given: unknown): Promise<void> {
  const run = await pickRun(store, given, (run) => can(run, "pause"), "No run is going.");
  if (!run) return;
  const { error } = await server.request("peft/run/pause", { run_id: run.id });
  if (error) throw Problem.fromReport(error);
}

export async function resumeRun(server: Server, store: RunStore, panels: RunPanels, given: unknown): Promise<void> {
  const run = await pickRun(store, given, (run) => can(run, "resume"), "No run rests that could go on.");
  if (!run) return;
  const resume = (accept_changes: boolean) =>
    inStatusBar(`Resuming ${run.id}`, () => server.request("peft/run/resume", { run_id: run.id, accept_changes }));
  let answer = await resume(false);
  if (answer.changes?.length) {
    if (!(await acceptsChanges(answer.changes))) return;
    answer = await resume(true);
  }
  if (answer.error) throw Problem.fromReport(answer.error);
  panels.open(run.id);
}

async function acceptsChanges(changes: NonNullable<RunResumeResult["changes"]>): Promise<boolean> {
  const resume = "Resume Anyway";
  const changed = changes.map(({ what, name, before, after }) =>
    what === "config" ? `${name}: ${before} → ${after}` : `${name} (${what})`,
  );
  const meaning = "The run would go on with the config that it began with, and with all else as it is now.";
  const detail = [...changed, "", meaning].join("\n");
  const text = "Since this run began, something that it depends on has changed.";
  return (await vscode.window.showWarningMessage(text, { modal: true, detail }, resume)) === resume;
}

export async function moveRun(server: Server, store: RunStore, given: unknown, to: QueueMove): Promise<void> {
  const run = await pickRun(store, given, ({ state }) => state === "queued", "No run waits in the queue.");
  if (!run) return;
  const { waiting = [], error } = await server.request("peft/run/move", { run_id: run.id, to });
  if (error) throw Problem.fromReport(error);
  void vscode.window.showInformationMessage(placeText(run.id, waiting));
}

export async function cancelRun(server: Server, store: RunStore, given: unknown): Promise<void> {
  const run = await pickRun(store, given, (run) => can(run, "cancel"), "No run is going.");
  if (!run) return;
  const cancel = "Cancel Run";
  const removing = "Cancel and Remove Checkpoints";
  const detail = "It ends at once and cannot be resumed. To be able to resume it, stop or pause it instead.";
  const text = `Give up the run ${run.name}?`;
  const chosen = await vscode.window.showWarningMessage(text, { modal: true, detail }, cancel, removing);
  if (chosen === undefined) return;
  const { error } = await server.request("peft/run/cancel", { run_id: run.id, remove: chosen === removing });
  if (error) throw Problem.fromReport(error);
}

/** Does something about an anomaly, or takes it back; called by buttons that know all about it. */
export async function recoverRun(
  server: Server,
  run_id: unknown,
  action: unknown,
  anomaly: unknown,
  undoes: unknown,
): Promise<void> {
  const text = (value: unknown) => (typeof value === "string" ? value : null);
  if (typeof run_id !== "string" || typeof action !== "string") return;
  const asked = { run_id, action: action as RecoveryAction, anomaly: text(anomaly), undoes: text(undoes) };
  const { error } = await server.request("peft/run/recover", asked);
  if (error) throw Problem.fromReport(error);
}

export async function openRun(store: RunStore, panels: RunPanels, given: unknown): Promise<void> {
  const run = await pickRun(store, given, () => true, "There are no runs yet.");
  if (run) panels.open(run.id);
}

export async function openRunConfig(store: RunStore, given: unknown): Promise<void> {
  const run = await pickRun(store, given, () => true, "There are no runs yet.");
  if (!run) return;
  // It was moved since, or the run comes from another machine. What a run was made with is in its folder.
  const file = existsSync(run.config_path) ? run.config_path : path.join(run.directory, "config.peft.yaml");
  await openFile(file);
}

export async function revealRunFolder(store: RunStore, given: unknown): Promise<void> {
  const run = await pickRun(store, given, () => true, "There are no runs yet.");
  if (run) await reveal(vscode.Uri.file(run.directory));
}
