/** The feed against a daemon that does what a good one never should: repeats, leaves out, overtakes itself and dies. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import type { Problem } from "../../src/problem";
import type { RunEventsParams, RunSummary, Series, SubscribeParams, SubscribeResult } from "../../src/protocol/types";
import type { RunEvent } from "../../src/protocol/words";
import { type FeedReader, RunFeed, type RunSource } from "../../src/runs/runFeed";
import type { ServerState } from "../../src/server/server";

const RUNNING: ServerState = { kind: "running", version: "1" };
const run = { id: "a-1", name: "a", state: "running", metrics: {} } as RunSummary;
const log = (seq: number) => ({ seq, type: "log", level: "info", message: `${seq}`, time: "" }) as RunEvent;
const logs = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => log(from + index));

class Daemon implements RunSource {
  state: ServerState = RUNNING;
  written: RunEvent[] = [];
  /** How many events a history has at most. */
  told = 1000;
  readonly asked: string[] = [];
  /** While set, answers wait for it. */
  gate: Promise<void> = Promise.resolve();
  private readonly listeners = new Set<(params: RunEventsParams) => void>();
  private readonly stateListeners = new Set<(state: ServerState) => void>();

  readonly onDidChangeState = (listener: (state: ServerState) => void) => subscription(this.stateListeners, listener);
  readonly onRunEvents = (listener: (params: RunEventsParams) => void) => subscription(this.listeners, listener);

  async subscribe({ run_id, after_seq = 0, points }: SubscribeParams): Promise<SubscribeResult> {
    this.asked.push(points ? "history" : `subscribe after ${after_seq}`);
    // Of a long past, only the newest events come as they are.
    const after = points ? Math.max(0, this.written.length - this.told) : after_seq;
    const events = this.written.filter((event) => event.seq > after);
    const series: Series[] = points ? [{ metric: "loss", steps: [after], values: [1], total: after }] : [];
    const last_seq = points ? this.written.length : 0;
    await this.gate;
    if (run_id !== run.id) return { run: null, error: { code: "run-missing", message: "No such run.", remedy: "" } };
    return { run, events, series, last_seq };
  }

  unsubscribe(): Promise<unknown> {
    this.asked.push("unsubscribe");
    return Promise.resolve({});
  }

  tell(...events: RunEvent[]): void {
    for (const listener of this.listeners) listener({ run, events });
  }

  become(state: ServerState): void {
    this.state = state;
    for (const listener of this.stateListeners) listener(state);
  }
}

function subscription<T>(listeners: Set<T>, listener: T): { dispose(): void } {
  listeners.add(listener);
  return { dispose: () => void listeners.delete(listener) };
}

class Reader implements FeedReader {
  seen: number[] = [];
  batches = 0;
  problems: string[] = [];
  history: readonly Series[] = [];

  onEvents(_run: RunSummary, events: RunEvent[], history: readonly Series[] | null): void {
    this.batches += 1;
    this.history = history ?? this.history;
    this.seen = [...(history ? [] : this.seen), ...events.map((event) => event.seq)];
  }

  onProblem(problem: Problem): void {
    this.problems.push(problem.message);
  }
}

let daemon: Daemon;
let reader: Reader;
let feed: RunFeed;
const upTo = (last: number) => Array.from({ length: last }, (_, index) => index + 1);
const pass = () => vi.advanceTimersByTimeAsync(1000);

beforeEach(() => {
  vi.useFakeTimers();
  daemon = new Daemon();
  reader = new Reader();
  feed = new RunFeed(daemon, run.id, reader);
});
afterEach(() => {
  feed.dispose();
  vi.useRealTimers();
});

describe("RunFeed", () => {
  it("gives the past, then what comes", async () => {
    daemon.written = logs(1, 3);
    await feed.replay();
    daemon.tell(log(4), log(5));
    await pass();
    expect(reader.seen).toEqual(upTo(5));
  });

  it("hands many small messages on in one batch", async () => {
    await feed.replay();
    for (const event of logs(1, 50)) daemon.tell(event);
    await pass();
    expect([reader.seen, reader.batches]).toEqual([upTo(50), 2]);
  });

  it("asks for what was left out, and shows no event before those", async () => {
    daemon.written = logs(1, 2);
    await feed.replay();
    daemon.written = logs(1, 6);
    daemon.tell(log(6));
    await pass();
    expect(reader.seen).toEqual(upTo(6));
    expect(daemon.asked).toEqual(["history", "subscribe after 2"]);
  });

  it("keeps what comes while it waits for the past, once", async () => {
    let open = () => {};
    daemon.gate = new Promise((resolve) => (open = resolve));
    daemon.written = logs(1, 3);
    const replay = feed.replay();
    daemon.tell(log(3), log(4));
    daemon.tell(log(5));
    open();
    await replay;
    await pass();
    expect(reader.seen).toEqual(upTo(5));
  });

  it("goes on where it was when the daemon was started again", async () => {
    daemon.written = logs(1, 3);
    await feed.replay();
    daemon.become({ kind: "waiting" });
    daemon.written = logs(1, 7);
    daemon.become(RUNNING);
    await pass();
    expect(reader.seen).toEqual(upTo(7));
    expect(daemon.asked.at(-1)).toBe("subscribe after 3");
  });

  it("goes on behind a past of which it was told only the end, and asks for none of it again", async () => {
    daemon.written = logs(1, 50);
    daemon.told = 2;
    await feed.replay();
    daemon.tell(log(51));
    await pass();
    expect(reader.seen).toEqual([49, 50, 51]);
    expect(reader.history).toMatchObject([{ metric: "loss", total: 48 }]);
    daemon.told = 0;
    await feed.replay();
    daemon.tell(log(51));
    await pass();
    expect(reader.seen).toEqual([51]);
    expect(daemon.asked).toEqual(["history", "history"]);
  });

  it("begins anew for a panel that was loaded again", async () => {
    daemon.written = logs(1, 3);
    await feed.replay();
    await feed.replay();
    expect(reader.seen).toEqual(upTo(3));
  });

  it("drops the answer to a question that was overtaken", async () => {
    let open = () => {};
    daemon.gate = new Promise((resolve) => (open = resolve));
    daemon.written = logs(1, 2);
    const slow = feed.replay();
    daemon.gate = Promise.resolve();
    await feed.replay();
    open();
    await slow;
    expect(reader.seen).toEqual(upTo(2));
  });

  it("is quiet while nobody looks", async () => {
    await feed.replay();
    feed.pause();
    daemon.tell(log(1));
    daemon.become(RUNNING);
    await pass();
    expect([reader.seen, daemon.asked]).toEqual([[], ["history", "unsubscribe"]]);
  });

  it("says that there is no such run", async () => {
    const lost = new RunFeed(daemon, "b-2", reader);
    await lost.replay();
    expect(reader.problems).toEqual(["No such run."]);
  });
});
