/** All runs of this machine, as the daemon last told. */
import * as vscode from "vscode";

import type { RunSummary } from "../protocol/types";
import { isActive } from "../protocol/words";
import type { Server } from "../server/server";

export interface RunsChange {
  readonly changed: readonly RunSummary[];
  /** Whether runs came or went, rather than only changed. */
  readonly listChanged: boolean;
}

export class RunStore implements vscode.Disposable {
  private byId = new Map<string, RunSummary>();
  private readonly subscriptions: vscode.Disposable[];
  private readonly changeEmitter = new vscode.EventEmitter<RunsChange>();
  private readonly endEmitter = new vscode.EventEmitter<RunSummary>();

  readonly onDidChange = this.changeEmitter.event;
  /** A run that this window saw active has ended. */
  readonly onDidEnd = this.endEmitter.event;

  constructor(
    private readonly server: Server,
    private readonly log: vscode.LogOutputChannel,
  ) {
    this.subscriptions = [
      server.on("peft/runs/changed")(({ runs }) => this.merge(runs)),
      server.onDidChangeState((state) => {
        if (state.kind === "running") void this.refresh();
      }),
    ];
  }

  /** Newest first. */
  get runs(): RunSummary[] {
    return [...this.byId.values()].sort((a, b) => b.created.localeCompare(a.created) || b.id.localeCompare(a.id));
  }

  get(id: string): RunSummary | undefined {
    return this.byId.get(id);
  }

  /** The newest run that is still going. */
  get active(): RunSummary | undefined {
    return this.runs.find(isActive);
  }

  /** The newest run whose adapter can be chatted with. */
  get newestWithAdapter(): RunSummary | undefined {
    return this.runs.find((run) => run.chat_model !== null);
  }

  /**
   * Asks for the runs that somebody waits for.
   *
   * @throws Problem when they cannot be had: that is not to be taken for none.
   */
  async load(): Promise<void> {
    // Where many runs have yet to be read, their view shows that it waits, and not that there are none.
    const { runs } = await vscode.window.withProgress({ location: { viewId: "peft.runs" } }, () =>
      this.server.request("peft/runs/list", {}),
    );
    const present = new Set(runs.map((run) => run.id));
    const gone = [...this.byId.keys()].filter((id) => !present.has(id));
    for (const id of gone) this.byId.delete(id);
    this.merge(runs, gone.length > 0);
  }

  async refresh(): Promise<void> {
    try {
      await this.load();
    } catch (error) {
      this.log.warn(`The list of runs could not be read: ${String(error)}`);
    }
  }

  dispose(): void {
    for (const subscription of this.subscriptions) subscription.dispose();
    this.changeEmitter.dispose();
    this.endEmitter.dispose();
  }

  private merge(runs: readonly RunSummary[], someGone = false): void {
    const ended: RunSummary[] = [];
    let listChanged = someGone;
    for (const run of runs) {
      const before = this.byId.get(run.id);
      listChanged ||= before === undefined;
      if (before && isActive(before) && !isActive(run)) ended.push(run);
      this.byId.set(run.id, run);
    }
    this.changeEmitter.fire({ changed: runs, listChanged });
    for (const run of ended) this.endEmitter.fire(run);
  }
}
