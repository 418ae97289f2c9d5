/** The models of this machine in the activity bar: by source, each base with the adapters on it. */
import * as vscode from "vscode";

import { modelFacts, modelSummary, SOURCE_NAMES, type ModelSource } from "../library/describe";
import type { ModelLibrary } from "../library/modelLibrary";
import type { ModelEntry, ResidentModel } from "../protocol/types";

/** What a row is about. Commands of its menu are called with it. */
export type ModelRow =
  | { readonly kind: "source"; readonly source: ModelSource }
  | { readonly kind: "model"; readonly id: string }
  | { readonly kind: "adapter"; readonly id: string; readonly runId: string }
  | { readonly kind: "fault"; readonly path: string };

export class ModelsTree implements vscode.TreeDataProvider<ModelRow>, vscode.Disposable {
  private readonly emitter = new vscode.EventEmitter<undefined>();
  private readonly subscription: vscode.Disposable;

  readonly onDidChangeTreeData = this.emitter.event;

  constructor(private readonly library: ModelLibrary) {
    this.subscription = library.onDidChange(() => this.emitter.fire(undefined));
  }

  getChildren(row?: ModelRow): ModelRow[] {
    const { models, faults } = this.library;
    switch (row?.kind) {
      case undefined: {
        const sources = [...new Set(models.map(({ source }) => source))].sort();
        return [
          ...[...new Set(faults.map(({ path }) => path))].map((path): ModelRow => ({ kind: "fault", path })),
          ...sources.map((source): ModelRow => ({ kind: "source", source })),
        ];
      }
      case "source":
        return models.filter(({ source }) => source === row.source).map(({ id }) => ({ kind: "model", id }));
      case "model":
        return (this.library.get(row.id)?.adapters ?? []).map(({ id, run_id }) => ({
          kind: "adapter",
          id,
          runId: run_id,
        }));
      default:
        return [];
    }
  }

  getParent(row: ModelRow): ModelRow | undefined {
    if (row.kind === "model") {
      const model = this.library.get(row.id);
      return model && { kind: "source", source: model.source };
    }
    if (row.kind !== "adapter") return undefined;
    const base = this.library.models.find(({ adapters }) => adapters?.some(({ id }) => id === row.id));
    return base && { kind: "model", id: base.id };
  }

  getTreeItem(row: ModelRow): vscode.TreeItem {
    switch (row.kind) {
      case "source":
        return this.sourceItem(row.source);
      case "model":
        return this.modelItem(row.id);
      case "adapter":
        return adapterItem(row.id, row.runId);
      case "fault":
        return this.faultItem(row.path);
    }
  }

  dispose(): void {
    this.subscription.dispose();
    this.emitter.dispose();
  }

  private sourceItem(source: ModelSource): vscode.TreeItem {
    const item = new vscode.TreeItem(SOURCE_NAMES[source], vscode.TreeItemCollapsibleState.Expanded);
    item.id = `source:${source}`;
    return item;
  }

  private modelItem(id: string): vscode.TreeItem {
    const model = this.library.get(id);
    if (!model) return new vscode.TreeItem(id);
    const resident = this.library.residentOf(id);
    const item = new vscode.TreeItem(
      id.slice(id.lastIndexOf("/") + 1),
      model.adapters?.length ? vscode.TreeItemCollapsibleState.Collapsed : vscode.TreeItemCollapsibleState.None,
    );
    item.id = `model:${id}`;
    item.description = modelSummary(model);
    item.iconPath = iconOf(model, resident);
    item.tooltip = tooltip(model, resident);
    item.contextValue = contextValue(model);
    item.accessibilityInformation = { label: `Model ${id}, ${modelSummary(model)}` };
    return item;
  }

  private faultItem(path: string): vscode.TreeItem {
    const fault = this.library.faults.find((one) => one.path === path);
    const item = new vscode.TreeItem(vscode.Uri.file(path));
    item.id = `fault:${path}`;
    item.description = fault?.message ?? "";
    item.tooltip = fault?.message ?? "";
    item.iconPath = new vscode.ThemeIcon("error", new vscode.ThemeColor("testing.iconFailed"));
    const { line, character } = fault?.range?.start ?? { line: 0, character: 0 };
    const options = { selection: new vscode.Range(line, character, line, character) };
    item.command = { command: "vscode.open", title: "Open", arguments: [vscode.Uri.file(path), options] };
    return item;
  }
}

function adapterItem(id: string, runId: string): vscode.TreeItem {
  const item = new vscode.TreeItem(runId);
  item.id = `adapter:${id}`;
  item.iconPath = new vscode.ThemeIcon("layers");
  item.tooltip = id;
  item.contextValue = "adapter chat";
  item.accessibilityInformation = { label: `Adapter ${runId}` };
  return item;
}

function iconOf(model: ModelEntry, resident: ResidentModel | undefined): vscode.ThemeIcon {
  if (model.problem || resident?.state === "error")
    return new vscode.ThemeIcon("error", new vscode.ThemeColor("testing.iconFailed"));
  if (resident?.state === "loading") return new vscode.ThemeIcon("loading~spin");
  if (resident?.state === "ready" && (resident.pinned || model.pinned)) return new vscode.ThemeIcon("pinned");
  if (resident?.state === "ready") return new vscode.ThemeIcon("circle-filled");
  return new vscode.ThemeIcon("circle-outline");
}

function contextValue(model: ModelEntry): string {
  const words = ["model", model.facts && "chat", model.base !== null && "base", model.definition && "defined"];
  return words.filter(Boolean).join(" ");
}

function tooltip(model: ModelEntry, resident: ResidentModel | undefined): vscode.MarkdownString {
  const text = new vscode.MarkdownString();
  text.appendMarkdown("**");
  text.appendText(model.id);
  text.appendMarkdown("**\n\n");
  for (const [name, value] of modelFacts(model, resident)) text.appendText(`${name}: ${value}\n`);
  const problem = model.problem ?? resident?.error;
  if (problem) text.appendText(`\n${problem.message} ${problem.remedy}`);
  return text;
}
