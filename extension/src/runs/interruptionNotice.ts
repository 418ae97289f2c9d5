/** Tells, once, of runs whose worker was killed while nobody looked, and offers to go on with them. */
import * as vscode from "vscode";

import type { RunSummary } from "../protocol/types";
import { can } from "../protocol/words";
import type { RunStore } from "./runStore";

const OFFERED = "peft.offeredRuns";
const REMEMBERED = 50;
/** What was interrupted longer ago is no news. */
const RECENT_MS = 24 * 60 * 60_000;

export function announceInterruptions(store: RunStore, memory: vscode.Memento): vscode.Disposable {
  const seen = new Set<string>();
  return store.onDidChange(({ changed }) => {
    for (const run of changed) {
      // A run that this window saw at work is told of when it ends.
      const isNew = !seen.has(run.id);
      seen.add(run.id);
      if (isNew && wasInterrupted(run)) void offer(run, memory);
    }
  });
}

export function wasInterrupted(run: RunSummary, now = Date.now()): boolean {
  return (
    run.state === "failed" &&
    run.error?.code === "worker-killed" &&
    can(run, "resume") &&
    now - Date.parse(run.updated) < RECENT_MS
  );
}

async function offer(run: RunSummary, memory: vscode.Memento): Promise<void> {
  const offered = memory.get<string[]>(OFFERED, []);
  const end = `${run.id}#${run.attempt ?? 1}`;
  if (offered.includes(end)) return;
  await memory.update(OFFERED, [...offered, end].slice(-REMEMBERED));
  const from = run.checkpoint === null ? "It begins anew" : `It can go on from ${run.checkpoint}`;
  const resume = "Resume";
  const open = "Open";
  const text = `The run ${run.name} was interrupted at step ${run.step}. ${from}.`;
  const chosen = await vscode.window.showWarningMessage(text, resume, open);
  if (chosen === resume) await vscode.commands.executeCommand("peft.resumeRun", run.id);
  if (chosen === open) await vscode.commands.executeCommand("peft.openRun", run.id);
}
