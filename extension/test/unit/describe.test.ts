import { describe, expect, it } from "vitest";

import type { RunSummary, RunTracker } from "../../src/protocol/types";
import { can } from "../../src/protocol/words";
import {
  counted,
  durationText,
  factLines,
  lossText,
  placeText,
  progressText,
  sizeText,
  timeText,
  trackerText,
} from "../../src/runs/describe";

const PAUSED: RunSummary = {
  id: "notes-1",
  name: "notes",
  state: "paused",
  base: "org/base",
  step: 60,
  total_steps: 120,
  directory: "/runs/notes-1",
  config_path: "/notes.peft.yaml",
  created: "2026-01-01T10:00:00Z",
  updated: "2026-01-01T10:02:00Z",
  metrics: { loss: 1.234, memory_bytes: 3 * 2 ** 30, cpu_percent: 187.4 },
  eta_seconds: 95,
  elapsed_seconds: 80,
  detail: "resume it to go on",
  error: null,
  checkpoint: "checkpoints/step-000060",
  adapter: null,
  chat_model: null,
};

describe("a paused run", () => {
  it("says how far it is, how long it took and will take, and what it used", () => {
    expect(factLines(PAUSED)).toEqual([
      "paused · 60/120 · loss 1.234",
      "Resume it to go on",
      "Trained for 1 min 20 s",
      "About 1 min 35 s left",
      "Memory: 3,072 MiB",
      "Processor: 187 %",
    ]);
  });

  it("can be resumed, and not paused again", () => {
    expect([can(PAUSED, "resume"), can(PAUSED, "pause"), can(PAUSED, "cancel")]).toEqual([true, false, true]);
    expect([can({ ...PAUSED, state: "completed" }, "resume"), can({ ...PAUSED, state: "failed" }, "resume")]).toEqual([
      false,
      true,
    ]);
  });
});

describe("placeText", () => {
  it("says which place a run has among those that wait", () => {
    expect(placeText("b-1", ["a-1", "b-1", "c-1"])).toBe("b-1 is number 2 of the 3 runs that wait.");
    expect(placeText("b-1", ["b-1"])).toBe("b-1 is the only run that waits.");
  });
});

describe("durationText", () => {
  it.each([
    [0, "0 s"],
    [59.4, "59 s"],
    [59.6, "1 min 0 s"],
    [3599, "59 min 59 s"],
    [7325, "2 h 2 min"],
    [-3, "0 s"],
  ])("%d seconds are %s", (seconds, text) => {
    expect(durationText(seconds)).toBe(text);
  });
});

describe("counted", () => {
  it.each([
    [0, "0 steps"],
    [1, "1 step"],
    [12_345, "12,345 steps"],
  ])("says of %d %s", (count, text) => {
    expect(counted(count, "step")).toBe(text);
  });
});

describe("sizeText", () => {
  it("shows as many digits as matter", () => {
    expect([619, 1_500, 59_100_000, 1_230_000_000].map(sizeText)).toEqual(["619 bytes", "1.5 kB", "59 MB", "1.2 GB"]);
  });
});

describe("lossText", () => {
  it("shows as many digits as matter", () => {
    expect([0.01234, 1.2345, 12.345].map(lossText)).toEqual(["0.012", "1.234", "12.3"]);
  });
});

describe("the tracker of a run", () => {
  const tracker: RunTracker = {
    type: "mlflow",
    page: "http://127.0.0.1:5000/#/runs/1",
    complete: true,
    missing_steps: 0,
    problem: null,
    since: null,
  };
  const at = (state: RunSummary["state"], changes: Partial<RunTracker> = {}): RunSummary => ({
    ...PAUSED,
    state,
    tracker: { ...tracker, ...changes },
  });
  const since = "2026-01-01T10:01:00Z";
  const away = { complete: false, problem: "The tracker cannot be reached. Start it.", since };

  it("is one word while nothing hinders it", () => {
    expect(trackerText(PAUSED)).toBe("off");
    expect(trackerText({ ...at("queued"), step: 0 })).toBe("sending begins with the first step");
    expect(trackerText(at("running"))).toBe("sending");
    expect(trackerText(at("running", { complete: false, missing_steps: 1 }))).toBe("sending");
    expect(trackerText(at("completed", { complete: false }))).toBe("sending");
    expect(trackerText(at("completed"))).toBe("up to date");
    expect(trackerText(at("paused"))).toBe("up to date");
  });

  it("says by how much it is behind, since when and why", () => {
    const text = `since ${timeText(since)}: The tracker cannot be reached. Start it.`;
    expect(trackerText(at("running", { ...away, missing_steps: 12 }))).toBe(`behind by 12 steps ${text}`);
    expect(trackerText(at("completed", { ...away, missing_steps: 1 }))).toBe(`behind by 1 step ${text}`);
    expect(trackerText(at("completed", away))).toBe(`behind ${text}`);
    expect(progressText(at("running", away))).toBe("running · MLflow behind · 60/120 · loss 1.234");
    expect(progressText(at("running"))).toBe("running · 60/120 · loss 1.234");
    expect(factLines(at("paused")).at(-1)).toBe("MLflow: up to date");
  });

  it("names the day of what did not begin today", () => {
    const now = new Date(2026, 0, 1, 23, 0);
    const day = new Date(2026, 0, 1, 9, 5);
    expect(timeText(day.toISOString(), now)).toBe(day.toLocaleTimeString([], { hour: "numeric", minute: "2-digit" }));
    expect(timeText(day.toISOString(), new Date(2026, 0, 3))).toContain(`${day.getDate()}`);
    expect(timeText(day.toISOString(), new Date(2026, 0, 3))).not.toBe(timeText(day.toISOString(), now));
  });
});
