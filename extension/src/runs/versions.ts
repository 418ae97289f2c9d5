/** The versions that completed runs made, as the daemon last told. */
import * as vscode from "vscode";

import type { VersionRecord } from "../protocol/types";
import type { Server } from "../server/server";
import type { RunStore } from "./runStore";

export class Versions implements vscode.Disposable {
  private records: readonly VersionRecord[] = [];
  private wanted = false;
  private readonly subscriptions: vscode.Disposable[];
  private readonly emitter = new vscode.EventEmitter<undefined>();

  readonly onDidChange = this.emitter.event;

  constructor(
    private readonly server: Server,
    store: RunStore,
    private readonly log: vscode.LogOutputChannel,
  ) {
    this.subscriptions = [
      // A version comes with a run that completes, with one that is imported, and goes with one that is removed.
      store.onDidChange(({ changed, listChanged }) => {
        if (listChanged || changed.some(({ state }) => state === "completed")) void this.refresh();
      }),
    ];
  }

  /** By name, newest first. */
  get all(): readonly VersionRecord[] {
    return this.records;
  }

  ofRun(runId: string): VersionRecord | undefined {
    return this.records.find(({ run_id }) => run_id === runId);
  }

  /** Somebody looks at them, so they are kept up to date from now on. */
  want(): void {
    if (this.wanted) return;
    this.wanted = true;
    void this.refresh();
  }

  dispose(): void {
    for (const subscription of this.subscriptions) subscription.dispose();
    this.emitter.dispose();
  }

  private async refresh(): Promise<void> {
    if (!this.wanted || this.server.state.kind !== "running") return;
    try {
      this.records = (await this.server.request("peft/runs/versions", {})).versions;
      this.emitter.fire(undefined);
    } catch (error) {
      this.log.warn(`The versions could not be read: ${String(error)}`);
    }
  }
}
