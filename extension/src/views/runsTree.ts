/** The list of runs in the activity bar, each with the version it became and the files it made. */
import * as vscode from "vscode";

import type { RunSummary } from "../protocol/types";
import { can, type RunAction, type RunState } from "../protocol/words";
import { gather, type Made, madeText } from "../runs/artifacts";
import { factLines, progressText } from "../runs/describe";
import type { RunStore } from "../runs/runStore";
import type { Versions } from "../runs/versions";
import type { Server } from "../server/server";

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

/** A run by its id, which stays the same while what is shown of it changes; or something that it made. */
export type RunRow = string | RunPart;

export interface RunPart {
  readonly runId: string;
  readonly made: Made;
}

export class RunsTree implements vscode.TreeDataProvider<RunRow>, vscode.Disposable {
  private readonly emitter = new vscode.EventEmitter<string[] | undefined>();
  private readonly subscription: vscode.Disposable;

  readonly onDidChangeTreeData = this.emitter.event;

  constructor(
    private readonly server: Server,
    private readonly store: RunStore,
    private readonly versions: Versions,
  ) {
    this.subscription = vscode.Disposable.from(
      store.onDidChange(({ changed, listChanged }) => {
        this.emitter.fire(listChanged ? undefined : changed.map((run) => run.id));
      }),
      versions.onDidChange(() => this.emitter.fire(undefined)),
    );
  }

  async getChildren(row?: RunRow): Promise<RunRow[]> {
    this.versions.want();
    if (row === undefined) return this.store.runs.map((run) => run.id);
    if (typeof row !== "string") return [];
    const { artifacts } = await this.server.request("peft/run/artifacts", { run_id: row });
    return gather(artifacts).map((made) => ({ runId: row, made }));
  }

  getTreeItem(row: RunRow): vscode.TreeItem {
    if (typeof row !== "string") return partItem(row);
    const run = this.store.get(row);
    if (!run) return new vscode.TreeItem(row);
    // All runs of a config have its name.
    const item = new vscode.TreeItem(run.id, collapsible(run));
    const description = [progressText(run), this.versions.ofRun(row)?.version, ...(run.notes?.tags ?? [])];
    item.id = row;
    item.description = description.filter(Boolean).join(" · ") + (run.notes?.pinned ? " · pinned" : "");
    item.iconPath = ICONS[run.state];
    item.tooltip = tooltip(run);
    item.contextValue = contextValue(run);
    item.command = { command: "peft.openRun", title: "Open Run", arguments: [row] };
    item.accessibilityInformation = { label: `Run ${run.id}, ${item.description}` };
    return item;
  }

  dispose(): void {
    this.subscription.dispose();
    this.emitter.dispose();
  }
}

/** A run that is at work is looked at in its panel; what it made is listed once it rests. */
function collapsible(run: RunSummary): vscode.TreeItemCollapsibleState {
  const made = run.state === "completed" || (run.checkpoint !== null && can(run, "resume"));
  return made ? vscode.TreeItemCollapsibleState.Collapsed : vscode.TreeItemCollapsibleState.None;
}

function partItem({ runId, made }: RunPart): vscode.TreeItem {
  const text = madeText(made);
  const item = new vscode.TreeItem(made.path);
  item.id = `${runId}/${made.path}`;
  item.description = text;
  item.contextValue = made.gone === made.files ? "gone" : "made";
  item.tooltip = made.gone > 0 ? `${made.path} ${text}: it was removed or moved after the run had made it.` : text;
  item.iconPath =
    made.gone > 0
      ? new vscode.ThemeIcon("warning", new vscode.ThemeColor("list.warningForeground"))
      : new vscode.ThemeIcon(made.files > 1 || made.path.startsWith("checkpoints/") ? "folder" : "file");
  item.accessibilityInformation = { label: `${made.path}, ${text}` };
  return item;
}

function contextValue(run: RunSummary): string {
  const actions: readonly RunAction[] = ["pause", "resume", "stop", "cancel"];
  return [
    "run",
    ...actions.filter((action) => can(run, action)),
    run.state === "queued" && "queued",
    run.chat_model !== null && "chat",
    run.notes?.pinned ? "pinned" : "loose",
    ["completed", "failed", "stopped", "cancelled"].includes(run.state) && "ended",
  ]
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
  if (run.notes?.text) text.appendText(`\n${run.notes.text}`);
  for (const anomaly of run.anomalies ?? []) text.appendText(`\n${anomaly.cause}`);
  if (run.error) text.appendText(`\n${run.error.message} ${run.error.remedy}`);
  return text;
}
