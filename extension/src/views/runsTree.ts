/** The list of runs in the activity bar. */
import * as vscode from "vscode";

import type { RunSummary } from "../protocol/types";
import { can, type RunAction, type RunState } from "../protocol/words";
import { factLines, progressText } from "../runs/describe";
import type { RunStore } from "../runs/runStore";

const ICONS: Record<RunState, vscode.ThemeIcon> = {
  queued: new vscode.ThemeIcon("clock"),
  preparing: new vscode.ThemeIcon("loading~spin"),
  running: new vscode.ThemeIcon("loading~spin"),
  stopping: new vscode.ThemeIcon("loading~spin"),
  paused: new vscode.ThemeIcon("debug-pause"),
  completed: new vscode.ThemeIcon("pass", new vscode.ThemeColor("testing.iconPassed")),
  failed: new vscode.ThemeIcon("error", new vscode.ThemeColor("testing.iconFailed")),
  stopped: new vscode.ThemeIcon("debug-stop"),
  cancelled: new vscode.ThemeIcon("circle-slash"),
};

/** Its elements are run ids: they stay the same while what is shown of a run changes. */
export class RunsTree implements vscode.TreeDataProvider<string>, vscode.Disposable {
  private readonly emitter = new vscode.EventEmitter<string[] | undefined>();
  private readonly subscription: vscode.Disposable;

  readonly onDidChangeTreeData = this.emitter.event;

  constructor(private readonly store: RunStore) {
    this.subscription = store.onDidChange(({ changed, listChanged }) => {
      this.emitter.fire(listChanged ? undefined : changed.map((run) => run.id));
    });
  }

  getChildren(element?: string): string[] {
    return element === undefined ? this.store.runs.map((run) => run.id) : [];
  }

  getTreeItem(id: string): vscode.TreeItem {
    const run = this.store.get(id);
    if (!run) return new vscode.TreeItem(id);
    const item = new vscode.TreeItem(run.name);
    item.id = id;
    item.description = progressText(run);
    item.iconPath = ICONS[run.state];
    item.tooltip = tooltip(run);
    item.contextValue = contextValue(run);
    item.command = { command: "peft.openRun", title: "Open Run", arguments: [id] };
    item.accessibilityInformation = { label: `Run ${run.name}, ${progressText(run)}` };
    return item;
  }

  dispose(): void {
    this.subscription.dispose();
    this.emitter.dispose();
  }
}

function contextValue(run: RunSummary): string {
  const actions: readonly RunAction[] = ["pause", "resume", "stop", "cancel"];
  return ["run", ...actions.filter((action) => can(run, action)), run.chat_model !== null && "chat"]
    .filter(Boolean)
    .join(" ");
}

function tooltip(run: RunSummary): vscode.MarkdownString {
  const text = new vscode.MarkdownString();
  text.appendMarkdown("**");
  text.appendText(run.name);
  text.appendMarkdown("**\n\n");
  for (const line of factLines(run)) text.appendText(`${line}\n`);
  text.appendMarkdown("\n\n");
  text.appendText(`Base model: ${run.base}\n`);
  text.appendText(`Started: ${new Date(run.created).toLocaleString()}\n`);
  text.appendText(`Config: ${run.config_path}\n`);
  for (const anomaly of run.anomalies ?? []) text.appendText(`\n${anomaly.cause}`);
  if (run.error) text.appendText(`\n${run.error.message} ${run.error.remedy}`);
  return text;
}
