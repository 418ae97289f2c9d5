import { describe, expect, it } from "vitest";

import { isHostMessage, isPanelMessage, isPanelState } from "../../src/protocol/panel";

const run = { id: "a-1", state: "running", metrics: {} };
const series = { metric: "loss", steps: [1], values: [2], total: 1 };
const events = { type: "events", run, events: [{ seq: 1, type: "log" }], history: [series], trusted: true };

describe("what the webview says", () => {
  const plain = ["ready", "pause", "resume", "stop", "chat", "openConfig", "revealFolder"];
  it.each([...plain, "record", "openRecord", "compare", "compareNone"])("accepts %s", (type) => {
    expect(isPanelMessage({ type })).toBe(true);
  });

  it("accepts what is to be done about an anomaly, and what is to be taken back", () => {
    expect(isPanelMessage({ type: "recover", anomaly: "a-1", action: "cut-learning-rate" })).toBe(true);
    expect(isPanelMessage({ type: "undo", recovery: "r-1" })).toBe(true);
  });

  it("accepts what is noted of the run", () => {
    expect(isPanelMessage({ type: "note", text: "the best" })).toBe(true);
    expect(isPanelMessage({ type: "tag", tags: ["best"] })).toBe(true);
    expect(isPanelMessage({ type: "pin", pinned: true })).toBe(true);
  });

  it.each([
    undefined,
    null,
    "ready",
    1,
    [],
    {},
    { type: "exec" },
    { type: ["stop"] },
    { type: "recover", anomaly: 1, action: "stop" },
    { type: "recover", anomaly: "a-1" },
    { type: "undo" },
    { type: "note" },
    { type: "tag", tags: "best" },
    { type: "tag", tags: [1] },
    { type: "pin", pinned: "yes" },
  ])("refuses %j", (value) => {
    expect(isPanelMessage(value)).toBe(false);
  });
});

describe("what the extension says", () => {
  it("accepts events and problems", () => {
    expect(isHostMessage(events)).toBe(true);
    expect(isHostMessage({ ...events, history: null })).toBe(true);
    expect(isHostMessage({ type: "compared", runs: [{ id: "b-1", series: [series] }] })).toBe(true);
    expect(isHostMessage({ type: "run", run })).toBe(true);
    expect(isHostMessage({ type: "record", facts: [["Python", "3.12"]] })).toBe(true);
    expect(isHostMessage({ type: "problem", message: "gone", remedy: "" })).toBe(true);
  });

  it.each([
    undefined,
    {},
    { type: "problem" },
    { ...events, run: undefined },
    { type: "run", run: { id: 1 } },
    { ...events, run: { ...run, metrics: null } },
    { ...events, events: "all" },
    { ...events, events: [{ seq: "1", type: "log" }] },
    { ...events, history: undefined },
    { ...events, history: [{ metric: "loss" }] },
    { type: "compared", runs: [{ id: 1, series: [] }] },
    { type: "record", facts: [["Python"]] },
    { ...events, trusted: undefined },
  ])("refuses %j", (value) => {
    expect(isHostMessage(value)).toBe(false);
  });
});

describe("what a panel keeps over a reload", () => {
  it("is the run's id with what was chosen to be seen, and nothing without one", () => {
    expect(isPanelState({ runId: "a-1" })).toBe(true);
    expect(isPanelState({ runId: "a-1", shown: ["loss"], smoothing: 0.5 })).toBe(true);
    const wrong = [undefined, null, {}, { runId: 1 }, { runId: "a-1", shown: 1 }, { runId: "a-1", smoothing: "much" }];
    expect(isPanelState({ runId: "a-1", compared: ["a-0"] })).toBe(true);
    expect(isPanelState({ runId: "a-1", compared: [0] })).toBe(false);
    for (const value of wrong) expect(isPanelState(value)).toBe(false);
  });
});
