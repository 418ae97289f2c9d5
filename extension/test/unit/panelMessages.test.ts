import { describe, expect, it } from "vitest";

import { isHostMessage, isPanelMessage, isPanelState } from "../../src/protocol/panel";

const run = { id: "a-1", state: "running", metrics: {} };
const events = { type: "events", run, events: [{ seq: 1, type: "log" }], whole: true, trusted: true };

describe("what the webview says", () => {
  it.each(["ready", "pause", "resume", "stop", "chat", "openConfig", "revealFolder"])("accepts %s", (type) => {
    expect(isPanelMessage({ type })).toBe(true);
  });

  it("accepts what is to be done about an anomaly, and what is to be taken back", () => {
    expect(isPanelMessage({ type: "recover", anomaly: "a-1", action: "cut-learning-rate" })).toBe(true);
    expect(isPanelMessage({ type: "undo", recovery: "r-1" })).toBe(true);
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
  ])("refuses %j", (value) => {
    expect(isPanelMessage(value)).toBe(false);
  });
});

describe("what the extension says", () => {
  it("accepts events and problems", () => {
    expect(isHostMessage(events)).toBe(true);
    expect(isHostMessage({ type: "problem", message: "gone", remedy: "" })).toBe(true);
  });

  it.each([
    undefined,
    {},
    { type: "problem" },
    { ...events, run: undefined },
    { ...events, run: { ...run, metrics: null } },
    { ...events, events: "all" },
    { ...events, events: [{ seq: "1", type: "log" }] },
    { ...events, whole: 1 },
    { ...events, trusted: undefined },
  ])("refuses %j", (value) => {
    expect(isHostMessage(value)).toBe(false);
  });
});

describe("what a panel keeps over a reload", () => {
  it("is the run's id and nothing without one", () => {
    expect(isPanelState({ runId: "a-1" })).toBe(true);
    for (const value of [undefined, null, {}, { runId: 1 }]) expect(isPanelState(value)).toBe(false);
  });
});
