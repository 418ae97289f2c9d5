/** One run's panel: the extension's half. */
import * as vscode from "vscode";

import { openFile } from "../commands/reveal";
import { Problem } from "../problem";
import { type HostMessage, isPanelMessage, type PanelMessage } from "../protocol/panel";
import type { NoteParams, RunSummary, Series } from "../protocol/types";
import type { RunEvent } from "../protocol/words";
import { type FeedReader, RunFeed, type RunSource } from "../runs/runFeed";
import { readRecord, recordFacts, recordFile } from "../runs/record";
import type { RunStore } from "../runs/runStore";
import type { Server } from "../server/server";
import { fileIcon } from "../views/icons";
import { Comparison } from "./compareRuns";
import { showPage } from "./showPage";

export class RunPanel implements FeedReader {
  private readonly feed: RunFeed;
  private directory = "";
  private readonly comparison: Comparison;
  private tracker = "";

  constructor(
    private readonly panel: vscode.WebviewPanel,
    readonly runId: string,
    private readonly server: Server,
    private readonly store: RunStore,
    extensionUri: vscode.Uri,
    compared: readonly string[],
  ) {
    this.comparison = new Comparison(server, store, runId, compared, (runs) => this.send({ type: "compared", runs }));
    this.feed = new RunFeed(sourceOf(server), runId, this);
    panel.iconPath = fileIcon(extensionUri);
    panel.webview.onDidReceiveMessage((message: unknown) => {
      if (isPanelMessage(message))
        this.received(message).catch((error: unknown) => this.onProblem(Problem.from(error)));
    });
    // A hidden panel has no document: what is sent to it is lost, and when it is shown again it says that it is ready.
    panel.onDidChangeViewState(() => {
      if (!panel.visible) this.feed.pause();
    });
    // A tracker falls behind and catches up without an event of the run.
    const following = store.onDidChange(({ changed }) => {
      if (changed.some(({ id }) => id === runId)) this.showTracker();
    });
    panel.onDidDispose(() => {
      following.dispose();
      this.comparison.dispose();
      this.feed.dispose();
    });
    showPage(panel.webview, "run", extensionUri);
  }

  reveal(): void {
    this.panel.reveal();
  }

  onEvents(run: RunSummary, events: RunEvent[], history: readonly Series[] | null): void {
    this.directory = run.directory;
    this.send({ type: "events", run, events, history, trusted: vscode.workspace.isTrusted });
  }

  onProblem({ message, remedy }: Problem): void {
    this.send({ type: "problem", message, remedy });
  }

  private send(message: HostMessage): void {
    void this.panel.webview.postMessage(message);
  }

  private async received(message: PanelMessage): Promise<void> {
    switch (message.type) {
      case "ready":
        // A panel that was hidden has forgotten all that it was told.
        this.comparison.show();
        this.tracker = "";
        this.showTracker();
        return this.feed.replay();
      case "pause":
        return vscode.commands.executeCommand("peft.pauseRun", this.runId);
      case "resume":
        return vscode.commands.executeCommand("peft.resumeRun", this.runId);
      case "stop":
        return vscode.commands.executeCommand("peft.stopRun", this.runId);
      case "recover":
        return vscode.commands.executeCommand("peft.recoverRun", this.runId, message.action, message.anomaly);
      case "undo":
        return vscode.commands.executeCommand("peft.recoverRun", this.runId, "undo", null, message.recovery);
      case "chat":
        return vscode.commands.executeCommand("peft.chatWithAdapter", this.runId);
      case "openConfig":
        return vscode.commands.executeCommand("peft.openRunConfig", this.runId);
      case "revealFolder":
        return vscode.commands.executeCommand("peft.revealRunFolder", this.runId);
      case "note":
        return this.note({ text: message.text });
      case "tag":
        return this.note({ tags: [...message.tags] });
      case "pin":
        return this.note({ pinned: message.pinned });
      case "compare":
        return this.comparison.choose();
      case "compareNone":
        this.comparison.clear();
        return;
      case "record":
        this.send({ type: "record", facts: recordFacts(await readRecord(this.directory)) });
        return;
      case "openRecord":
        await openFile(recordFile(this.directory));
    }
  }

  private async note(changes: Omit<NoteParams, "run_id">): Promise<void> {
    await this.server.request("peft/run/note", { run_id: this.runId, ...changes });
  }

  private showTracker(): void {
    const run = this.store.get(this.runId);
    const now = JSON.stringify([run?.tracker, run?.state, run && run.step > 0]);
    if (!run || now === this.tracker) return;
    this.tracker = now;
    this.send({ type: "run", run });
  }
}

function sourceOf(server: Server): RunSource {
  return {
    get state() {
      return server.state;
    },
    onDidChangeState: server.onDidChangeState,
    onRunEvents: server.on("peft/run/events"),
    subscribe: (params) => server.request("peft/run/subscribe", params),
    unsubscribe: (runId) => server.request("peft/run/unsubscribe", { run_id: runId }),
  };
}
