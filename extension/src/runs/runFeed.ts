/** Follows one run's events through the daemon, across its restarts, and hands them on in batches. */
import type * as vscode from "vscode";

import { Problem } from "../problem";
import type { RunEventsParams, RunSummary, Series, SubscribeParams, SubscribeResult } from "../protocol/types";
import type { RunEvent } from "../protocol/words";
import type { ServerState } from "../server/server";
import { EventOrder } from "./eventOrder";

/** What a feed needs of the daemon. */
export interface RunSource {
  readonly state: ServerState;
  readonly onDidChangeState: vscode.Event<ServerState>;
  readonly onRunEvents: vscode.Event<RunEventsParams>;
  subscribe(params: SubscribeParams): Promise<SubscribeResult>;
  unsubscribe(runId: string): Promise<unknown>;
}

export interface FeedReader {
  /** @param history what was measured before the events; null where they follow those already given */
  onEvents(run: RunSummary, events: RunEvent[], history: readonly Series[] | null): void;
  onProblem(problem: Problem): void;
}

/** Points of a metric in a history: about two to a pixel of a chart. */
const POINTS = 2_000;

/** Often enough to look live, seldom enough for a run that reports thousands of steps a second. */
const BATCH_MS = 100;

export class RunFeed implements vscode.Disposable {
  private readonly order = new EventOrder<RunEvent>();
  private readonly subscriptions: vscode.Disposable[] = [];
  private batch: { run: RunSummary; events: RunEvent[] } | undefined;
  private timer: NodeJS.Timeout | undefined;
  /** Counts subscriptions, so that the answer to one that was overtaken is dropped. */
  private round = 0;
  /** What came while the daemon was being asked for what is before it. */
  private early: { run: RunSummary; events: RunEvent[] }[] | undefined;
  private active = false;

  constructor(
    private readonly source: RunSource,
    private readonly runId: string,
    private readonly reader: FeedReader,
  ) {
    this.subscriptions.push(
      source.onRunEvents(({ run, events }) => {
        if (run.id === this.runId) this.arrived(run, events);
      }),
      source.onDidChangeState((state) => {
        if (state.kind === "running" && this.active) void this.subscribe();
        if (state.kind === "failed" && this.active) reader.onProblem(state.problem);
      }),
    );
  }

  /** Gives what the run said so far, however long it is, then each event as it comes. */
  async replay(): Promise<void> {
    this.active = true;
    this.dropBatch();
    this.order.reset();
    await this.subscribe();
  }

  /** Nobody looks: stops the flow until the next `replay`. */
  pause(): void {
    if (!this.active) return;
    this.active = false;
    this.round += 1;
    this.dropBatch();
    // Nobody waits for the answer, and a daemon that is gone has forgotten us anyway.
    if (this.source.state.kind === "running") void this.source.unsubscribe(this.runId).catch(() => {});
  }

  dispose(): void {
    this.pause();
    for (const subscription of this.subscriptions) subscription.dispose();
  }

  private async subscribe(): Promise<void> {
    const round = ++this.round;
    const after = this.order.lastSeq;
    const params = { run_id: this.runId, ...(after === 0 ? { points: POINTS } : { after_seq: after }) };
    this.early = [];
    try {
      const answer = await this.source.subscribe(params);
      if (round !== this.round) return;
      const { early } = this;
      this.early = undefined;
      if (!answer.run) throw noRun(this.runId, answer.error);
      this.flush();
      this.hand(answer.run, answer, after === 0);
      for (const { run, events } of early) this.arrived(run, events);
    } catch (error) {
      if (round !== this.round) return;
      this.early = undefined;
      this.reader.onProblem(Problem.from(error));
    }
  }

  private hand(run: RunSummary, answer: SubscribeResult, isHistory: boolean): void {
    const { events = [], series = [], last_seq = 0 } = answer;
    if (!isHistory) return this.reader.onEvents(run, this.order.take(events), null);
    this.order.reset(Math.max(last_seq, events.at(-1)?.seq ?? 0));
    this.reader.onEvents(run, events, series);
  }

  private arrived(run: RunSummary, events: RunEvent[]): void {
    if (!this.active) return;
    if (this.early) return void this.early.push({ run, events });
    const fresh = this.order.follow(events);
    if (!fresh) return void this.subscribe();
    this.batch = { run, events: [...(this.batch?.events ?? []), ...fresh] };
    this.timer ??= setTimeout(() => this.flush(), BATCH_MS);
  }

  private flush(): void {
    const { batch } = this;
    this.dropBatch();
    if (batch) this.reader.onEvents(batch.run, batch.events, null);
  }

  private dropBatch(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.batch = undefined;
  }
}

function noRun(runId: string, error: { message: string; remedy: string } | null | undefined): Problem {
  return error ? new Problem(error.message, error.remedy) : new Problem(`There is no run ${runId}.`);
}
