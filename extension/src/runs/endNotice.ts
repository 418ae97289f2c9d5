/** Tells, once, that a run has ended, and offers what comes next. */
import * as vscode from "vscode";

import type { RunSummary } from "../protocol/types";
import type { RunStore } from "./runStore";

const TOLD = "peft.toldRuns";
/** More than anybody has running at once in all windows. */
const REMEMBERED = 50;

export function announceEnds(store: RunStore, memory: vscode.Memento): vscode.Disposable {
  return store.onDidEnd(async (run) => {
    const told = memory.get<string[]>(TOLD, []);
    // A run that was resumed ends once more.
    const end = `${run.id}#${run.attempt ?? 1}`;
    if (told.includes(end)) return;
    await memory.update(TOLD, [...told, end].slice(-REMEMBERED));
    await announce(run);
  });
}

async function announce(run: RunSummary): Promise<void> {
  const open = "Open";
  const chat = "Try It";
  if (run.state === "failed") {
    const text = run.error ? `${run.error.message} ${run.error.remedy}` : `The run ${run.name} failed.`;
    const resume = "Resume";
    const chosen = await vscode.window.showErrorMessage(text, ...(run.checkpoint === null ? [] : [resume]), open);
    if (chosen === open) await vscode.commands.executeCommand("peft.openRun", run.id);
    if (chosen === resume) await vscode.commands.executeCommand("peft.resumeRun", run.id);
  } else if (run.state === "completed") {
    const actions = run.chat_model === null ? [open] : [chat, open];
    const chosen = await vscode.window.showInformationMessage(
      `The run ${run.name} is complete: its adapter is ready.`,
      ...actions,
    );
    if (chosen === open) await vscode.commands.executeCommand("peft.openRun", run.id);
    if (chosen === chat) await vscode.commands.executeCommand("peft.chatWithAdapter", run.id);
  }
}
