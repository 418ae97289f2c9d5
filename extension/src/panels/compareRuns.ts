/** Other runs to be drawn beside one. */
import * as vscode from "vscode";

import type { ComparedRun } from "../protocol/panel";
import { progressText } from "../runs/describe";
import type { RunStore } from "../runs/runStore";
import type { Server } from "../server/server";

/** As many as there are colours to tell them apart. */
const MOST = 5;
const POINTS = 1_000;
/** How often a run that is still going is drawn anew. */
const PAUSE_MS = 3_000;

export class Comparison implements vscode.Disposable {
  private drawn: readonly ComparedRun[] = [];
  private timer: NodeJS.Timeout | undefined;
  private readonly following: vscode.Disposable;

  /** @param ids the runs that were drawn before the window was reloaded */
  constructor(
    private readonly server: Server,
    private readonly store: RunStore,
    private readonly runId: string,
    private ids: readonly string[],
    private readonly onChange: (runs: readonly ComparedRun[]) => void,
  ) {
    this.following = store.onDidChange(({ changed }) => {
      if (changed.some(({ id }) => this.ids.includes(id))) this.drawSoon();
    });
  }

  /** Tells what is drawn, which a page that was hidden or reloaded has forgotten. */
  show(): void {
    if (this.drawn.length === this.ids.length) this.onChange(this.drawn);
    else this.drawIfPossible();
  }

  /** Lets somebody choose. Where nothing is chosen, all stays as it is. */
  async choose(): Promise<void> {
    await this.store.load();
    const items = this.store.runs
      .filter(({ id, step }) => id !== this.runId && step > 0)
      .map((run) => ({ label: run.id, description: progressText(run), picked: this.ids.includes(run.id) }));
    if (items.length === 0) {
      void vscode.window.showInformationMessage("There is no other run that has measured anything.");
      return;
    }
    const picked = await pickAtMost(items, `Draw Beside ${this.runId}`);
    if (!picked) return;
    this.ids = picked.map(({ label }) => label);
    await this.draw();
  }

  clear(): void {
    this.ids = [];
    this.drawn = [];
    this.onChange([]);
  }

  dispose(): void {
    this.following.dispose();
    clearTimeout(this.timer);
  }

  private drawSoon(): void {
    this.timer ??= setTimeout(() => this.drawIfPossible(), PAUSE_MS);
  }

  /** What is drawn stays where nobody can say more; a daemon that comes back tells of all runs. */
  private drawIfPossible(): void {
    this.draw().catch(() => {});
  }

  private async draw(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    const { ids } = this;
    if (ids.some((id) => !this.store.get(id))) await this.store.load();
    const there = ids.filter((id) => this.store.get(id));
    const runs = await Promise.all(
      there.map(async (id) => {
        const { series } = await this.server.request("peft/run/series", { run_id: id, points: POINTS });
        return { id, series };
      }),
    );
    // Meanwhile others were chosen, which are asked for.
    if (this.ids !== ids) return;
    this.ids = there;
    this.drawn = runs;
    this.onChange(runs);
  }
}

/** Undefined when the list was closed. A list that has too many chosen stays open and says so: no choice is cut short. */
async function pickAtMost<T extends vscode.QuickPickItem>(
  items: T[],
  title: string,
): Promise<readonly T[] | undefined> {
  const pick = vscode.window.createQuickPick<T>();
  Object.assign(pick, { canSelectMany: true, title, placeholder: `Choose up to ${MOST} runs`, items });
  pick.selectedItems = items.filter(({ picked }) => picked);
  const isTooMany = () => pick.selectedItems.length > MOST;
  const tooMany = () =>
    `Up to ${MOST} runs can be drawn beside another, and ${pick.selectedItems.length} are chosen. Take some away.`;
  pick.onDidChangeSelection(() => (pick.title = isTooMany() ? tooMany() : title));
  try {
    return await new Promise((resolve) => {
      pick.onDidAccept(() => {
        if (isTooMany()) void vscode.window.showWarningMessage(tooMany());
        else resolve(pick.selectedItems);
      });
      pick.onDidHide(() => resolve(undefined));
      pick.show();
    });
  } finally {
    pick.dispose();
  }
}
