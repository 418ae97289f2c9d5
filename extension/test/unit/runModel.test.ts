import { describe, expect, it } from "vitest";

import type { RunEvent } from "../../src/protocol/words";
import { RunModel } from "../../webview/run/model";

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

describe("RunModel", () => {
  it("lines training and evaluation up by step", () => {
    const { steps, loss, evaluationLoss } = modelOf(
      metric(1, 3),
      metric(2, 2),
      evaluation(2, 2.5),
      evaluation(3, 2.4),
    ).columns();
    expect(steps).toEqual([1, 2, 3]);
    expect(loss).toEqual([3, 2, null]);
    expect(evaluationLoss).toEqual([null, 2.5, 2.4]);
  });

  it("takes the newer value of a step that was trained again from a checkpoint", () => {
    const { steps, loss } = modelOf(metric(1, 3), metric(2, 2), metric(3, 1.5), metric(2, 1.9)).columns();
    expect([steps, loss]).toEqual([
      [1, 2, 3],
      [3, 1.9, 1.5],
    ]);
  });

  it("leaves a gap where the loss was not a number", () => {
    expect(modelOf(metric(1, 3), metric(2, null)).columns().loss).toEqual([3, null]);
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
