/** The panels that are open, one a run, and those that a window reload brings back. */
import * as vscode from "vscode";

import { isPanelState } from "../protocol/panel";
import type { RunStore } from "../runs/runStore";
import type { Server } from "../server/server";
import { RunPanel } from "./runPanel";

const VIEW_TYPE = "peft.run";

export class RunPanels implements vscode.WebviewPanelSerializer {
  private readonly panels = new Map<string, RunPanel>();

  constructor(
    private readonly server: Server,
    private readonly store: RunStore,
    private readonly extensionUri: vscode.Uri,
  ) {}

  register(): vscode.Disposable {
    return vscode.window.registerWebviewPanelSerializer(VIEW_TYPE, this);
  }

  open(runId: string): void {
    const existing = this.panels.get(runId);
    if (existing) return existing.reveal();
    this.adopt(vscode.window.createWebviewPanel(VIEW_TYPE, runId, vscode.ViewColumn.Beside), runId);
  }

  deserializeWebviewPanel(panel: vscode.WebviewPanel, state: unknown): Promise<void> {
    if (isPanelState(state)) this.adopt(panel, state.runId, state.compared);
    else panel.dispose();
    return Promise.resolve();
  }

  private adopt(panel: vscode.WebviewPanel, runId: string, compared: readonly string[] = []): void {
    this.panels.set(runId, new RunPanel(panel, runId, this.server, this.store, this.extensionUri, compared));
    panel.onDidDispose(() => this.panels.delete(runId));
  }
}
