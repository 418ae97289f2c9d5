/** `@peft /run`: starts the run of the open config and says how it goes, until it has ended or nobody listens. */
import * as vscode from "vscode";

import { configUri, saved } from "../commands/configFile";
import { Problem } from "../problem";
import type { FileFinding, RunSummary } from "../protocol/types";
import { isActive } from "../protocol/words";
import { counted, lossText, progressText } from "../runs/describe";
import type { RunStore } from "../runs/runStore";
import type { Server } from "../server/server";
import type { Training } from "../server/training";
import { requireTrust } from "../trust";

/** Between two remarks on a run whose state is the same. */
const REMARK_MS = 5_000;
/** Errors that are written out; the Problems view has all. */
const LISTED = 5;

export interface RunParts {
  readonly server: Server;
  readonly training: Training;
  readonly store: RunStore;
}

/** @throws Problem when no run was started. */
export async function followRun(
  { server, training, store }: RunParts,
  stream: vscode.ChatResponseStream,
  token: vscode.CancellationToken,
): Promise<void> {
  requireTrust("Runs");
  const uri = configUri(undefined, "There is no run to start here.");
  await saved(uri, "A run starts from what is on disk.");
  if (!(await training.ensure())) throw new Problem("No run was started: training needs more packages.");
  const name = vscode.workspace.asRelativePath(uri);
  stream.progress(`Checking ${name}`);
  const { run, findings = [], error } = await server.request("peft/run/start", { path: uri.fsPath });
  if (!run && findings.length > 0) {
    refuse(name, findings, stream);
    return;
  }
  if (!run) throw error ? Problem.fromReport(error) : new Problem("No run was started.");
  stream.markdown(`The run **${run.name}** has started.\n\n`);
  stream.button({ command: "peft.openRun", title: "Open", arguments: [run.id] });
  const last = await ended(store, run, (now) => stream.progress(progressText(now)), token);
  if (isActive(last)) stream.markdown("It goes on without being watched here.");
  else report(last, stream);
}

/** Says what keeps a config from being run, as the Problems view has it. */
function refuse(name: string, findings: readonly FileFinding[], stream: vscode.ChatResponseStream): void {
  const errors = findings.length === 1 ? "an error" : `${findings.length} errors`;
  const lines = findings
    .slice(0, LISTED)
    .map(({ code, message, range }) => `- line ${range.start.line + 1}: ${message} (${code})\n`);
  const more = findings.length > LISTED ? `- and ${findings.length - LISTED} more\n` : "";
  stream.markdown(`No run was started: ${name} has ${errors}.\n\n${lines.join("")}${more}`);
  stream.button({ command: "workbench.actions.view.problems", title: "Show Problems" });
}

/** Resolves with the run as it ended, or as it was when nobody listened any more. */
function ended(
  store: RunStore,
  started: RunSummary,
  remark: (run: RunSummary) => void,
  token: vscode.CancellationToken,
): Promise<RunSummary> {
  return new Promise((resolve) => {
    let last = started;
    let remarkedAt = 0;
    const look = () => {
      const now = store.get(started.id);
      if (!now) return;
      const changed = now.state !== last.state;
      last = now;
      if (!isActive(now)) {
        finish();
        return;
      }
      if (!changed && Date.now() - remarkedAt < REMARK_MS) return;
      remarkedAt = Date.now();
      remark(now);
    };
    const subscriptions = [store.onDidChange(look), token.onCancellationRequested(() => finish())];
    const finish = () => {
      for (const subscription of subscriptions) subscription.dispose();
      resolve(last);
    };
    look();
  });
}

function report(run: RunSummary, stream: vscode.ChatResponseStream): void {
  if (run.state === "completed") {
    const { loss } = run.metrics;
    const last = typeof loss === "number" ? `, with a loss of ${lossText(loss)}` : "";
    stream.markdown(`It is complete after ${counted(run.step, "step")}${last}.`);
    if (run.chat_model !== null)
      stream.button({ command: "peft.chatWithAdapter", title: "Try It", arguments: [run.id] });
  } else if (run.error) {
    stream.markdown(`It has ${run.state}. ${run.error.message} ${run.error.remedy}`);
  } else {
    stream.markdown(`It is ${run.state}.`);
  }
}
