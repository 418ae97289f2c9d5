import { describe, expect, it } from "vitest";

import type { RunEvent } from "../../src/protocol/words";
import { align, RunModel } from "../../webview/run/model";
import { smoothed } from "../../webview/run/smooth";

const time = "2026-01-01T00:00:00Z";
let seq = 0;
const metric = (step: number, loss: number | null): RunEvent => ({
  seq: ++seq,
  time,
  type: "metric",
  step,
  epoch: 0,
  values: { loss, learning_rate: 0.1, tokens_per_second: 100 },
});
const evaluation = (step: number, loss: number): RunEvent => ({
  seq: ++seq,
  time,
  type: "evaluation",
  step,
  values: { loss },
});

function modelOf(...events: RunEvent[]): RunModel {
  const model = new RunModel();
  model.apply(events);
  return model;
}

function drawn(model: RunModel, ...metrics: string[]): unknown[] {
  const { steps, columns } = align(metrics.map((metric) => model.curves.get(metric) ?? new Map()));
  return [steps, ...columns];
}

describe("RunModel", () => {
  it("lines training and evaluation up by step", () => {
    const model = modelOf(metric(1, 3), metric(2, 2), evaluation(2, 2.5), evaluation(3, 2.4));
    expect(drawn(model, "loss", "eval_loss")).toEqual([
      [1, 2, 3],
      [3, 2, null],
      [null, 2.5, 2.4],
    ]);
  });

  it("goes on from a history, whose metrics have each their own steps", () => {
    const model = new RunModel([
      { metric: "loss", steps: [1, 900, 1000], values: [3, 9, 2], total: 1000 },
      { metric: "grad_norm", steps: [1, 500], values: [1, null], total: 1000 },
    ]);
    model.apply([metric(1001, 1)]);
    expect(drawn(model, "loss")).toEqual([
      [1, 900, 1000, 1001],
      [3, 9, 2, 1],
    ]);
    expect(drawn(model, "grad_norm")).toEqual([
      [1, 500],
      [1, null],
    ]);
    expect(model.points).toBe(4);
  });

  it("takes the newer value of a step that was trained again from a checkpoint", () => {
    expect(drawn(modelOf(metric(1, 3), metric(2, 2), metric(3, 1.5), metric(2, 1.9)), "loss")).toEqual([
      [1, 2, 3],
      [3, 1.9, 1.5],
    ]);
  });

  it("leaves a gap where the loss was not a number", () => {
    expect(drawn(modelOf(metric(1, 3), metric(2, null)), "loss")[1]).toEqual([3, null]);
  });

  it("says in the log what is not measured", () => {
    const model = modelOf(
      { seq: ++seq, time, type: "state", state: "preparing", detail: "loading the model" },
      metric(1, 3),
      { seq: ++seq, time, type: "checkpoint", step: 1, path: "checkpoints/1", sha256: "" },
      {
        ...{ seq: ++seq, time, type: "failed", run_id: "a", directory: "/a", step: 1, checkpoint: null },
        error: { code: "disk-full", message: "The disk is full.", remedy: "Free some space." },
      },
    );
    expect(model.log.map(({ level, text }) => [level, text])).toEqual([
      ["info", "Preparing: loading the model"],
      ["info", "Saved checkpoints/1 at step 1"],
      ["error", "The disk is full. Free some space."],
    ]);
  });

  it("knows what was done about an anomaly until it is taken back", () => {
    const recovery = { time, type: "recovery", anomaly: "a-1", by: "person", step: 7 } as const;
    const change = { key: "training.learning_rate", before: 0.001, after: 0.0005 };
    const model = modelOf(
      { ...recovery, seq: ++seq, id: "r-1", action: "cut-learning-rate", changes: [change] },
      {
        ...recovery,
        seq: ++seq,
        id: "r-2",
        action: "clip-gradients",
        changes: [{ ...change, key: "training.max_grad_norm" }],
      },
    );
    expect(model.recoveries.map(({ id }) => id)).toEqual(["r-1", "r-2"]);
    expect(model.recoveries[0]?.text).toBe("Changed at step 7: training.learning_rate from 0.001 to 0.0005");
    model.apply([{ ...recovery, seq: ++seq, id: "r-3", action: "undo", changes: [change], undoes: "r-1" }]);
    expect(model.recoveries.map(({ id }) => id)).toEqual(["r-2"]);
  });

  it("keeps the newest thousand lines", () => {
    const logs = Array.from({ length: 1500 }, (_, index): RunEvent => ({
      seq: ++seq,
      time,
      type: "log",
      level: "info",
      message: `${index}`,
    }));
    const { log } = modelOf(...logs);
    expect([log.length, log[0]?.text, log.at(-1)?.text]).toEqual([1000, "500", "1499"]);
  });
});

describe("smoothed", () => {
  it("begins at the first value, follows what comes, and leaves out what is no number", () => {
    const curve = new Map([
      [2, 2],
      [1, 4],
      [3, null],
      [4, 2],
    ]);
    const values = [...smoothed(curve, 0.5).entries()];
    expect(values.map(([step]) => step)).toEqual([1, 2, 3, 4]);
    expect(values[0]?.[1]).toBe(4);
    // (0.5 * 0.5 * 4 + 0.5 * 2) / (1 - 0.25)
    expect(values[1]?.[1]).toBeCloseTo(8 / 3);
    expect(values[2]?.[1]).toBeNull();
    expect(values[3]?.[1]).toBeCloseTo((0.125 * 4 + 0.25 * 2 + 0.5 * 2) / 0.875);
  });

  it("keeps a constant as it is", () => {
    const curve = new Map(Array.from({ length: 50 }, (_, step) => [step, 7] as const));
    for (const value of smoothed(curve, 0.9).values()) expect(value).toBeCloseTo(7);
  });
});
