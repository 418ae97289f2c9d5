/** The versions of each model in the activity bar, newest first. */
import * as vscode from "vscode";

import type { VersionRecord } from "../protocol/types";
import { lossText } from "../runs/describe";
import { measuredFacts } from "../runs/measured";
import { hashText } from "../runs/record";
import type { Versions } from "../runs/versions";

/** A model by its name, or the version that a run made. */
type VersionRow = { readonly name: string; readonly runId?: string };

class VersionsTree implements vscode.TreeDataProvider<VersionRow> {
  constructor(
    private readonly versions: Versions,
    readonly onDidChangeTreeData: vscode.Event<undefined>,
  ) {}

  getChildren(row?: VersionRow): VersionRow[] {
    this.versions.want();
    const { all } = this.versions;
    if (!row) return [...new Set(all.map(({ name }) => name))].map((name) => ({ name }));
    if (row.runId !== undefined) return [];
    return all.filter(({ name }) => name === row.name).map(({ name, run_id }) => ({ name, runId: run_id }));
  }

  getTreeItem({ name, runId }: VersionRow): vscode.TreeItem {
    if (runId === undefined) return this.modelItem(name);
    const record = this.versions.ofRun(runId);
    if (!record) return new vscode.TreeItem(runId);
    const item = new vscode.TreeItem(record.version);
    item.id = `version:${runId}`;
    item.description = summaryOf(record);
    item.iconPath = new vscode.ThemeIcon("tag");
    item.tooltip = tooltipOf(record);
    item.command = { command: "peft.openRun", title: "Open Run", arguments: [runId] };
    item.accessibilityInformation = { label: `Version ${record.version} of ${name}, ${summaryOf(record)}` };
    return item;
  }

  private modelItem(name: string): vscode.TreeItem {
    const item = new vscode.TreeItem(name, vscode.TreeItemCollapsibleState.Expanded);
    item.id = `name:${name}`;
    item.iconPath = new vscode.ThemeIcon("layers");
    return item;
  }
}

export function createVersionsView(versions: Versions): vscode.Disposable {
  const treeDataProvider = new VersionsTree(versions, versions.onDidChange);
  return vscode.window.createTreeView("peft.versions", { treeDataProvider });
}

/** What made it another version, and what it came to. */
function summaryOf(record: VersionRecord): string {
  const parts = [record.change === "first" ? "the first" : record.change];
  const loss = record.metrics.eval_loss ?? record.metrics.loss;
  if (typeof loss === "number") parts.push(`loss ${lossText(loss)}`);
  return parts.join(" · ");
}

function tooltipOf(record: VersionRecord): vscode.MarkdownString {
  const text = new vscode.MarkdownString();
  text.appendMarkdown("**");
  text.appendText(`${record.name} ${record.version}`);
  text.appendMarkdown("**\n\n");
  text.appendText(`Completed ${new Date(record.completed).toLocaleString()} by run ${record.run_id}\n`);
  text.appendText(record.parent === null ? "Parent: none, it is the first\n" : `Parent: ${record.parent}\n`);
  if (record.changed.length > 0) text.appendText(`Changed: ${record.changed.join(", ")}\n`);
  text.appendMarkdown("\n\n");
  for (const [label, value] of measuredFacts(record.metrics)) text.appendText(`${label}: ${value}\n`);
  text.appendMarkdown("\n\n");
  text.appendText(`Config: ${hashText(record.config_sha256)}\n`);
  for (const [path, hash] of Object.entries(record.artifacts)) text.appendText(`${path}: ${hashText(hash)}\n`);
  text.appendMarkdown("\n\n");
  text.appendCodeblock(JSON.stringify(shortConfig(record.config), null, 2), "json");
  return text;
}

/** What tells one fine-tuning from another; the whole config is in the run's folder. */
function shortConfig({ model, method, training }: VersionRecord["config"]): unknown {
  return { model, method, training };
}
