/** When a person is disturbed by what is wrong with a run. */
import { describe, expect, it, vi } from "vitest";

const shown = vi.hoisted((): string[] => []);

vi.mock("vscode", () => ({
  window: {
    showWarningMessage: (text: string) => {
      shown.push(text);
      return Promise.resolve(undefined);
    },
  },
}));

import type { RunSummary } from "../../src/protocol/types";
import { announceAnomalies } from "../../src/runs/anomalyNotice";
import type { RunStore } from "../../src/runs/runStore";

describe("the notice of an anomaly", () => {
  it("comes once while its kind stands, however often it went and came back, and again after it was dealt with", () => {
    let change: (event: { changed: RunSummary[] }) => void = () => undefined;
    const onDidChange = (listener: typeof change) => {
      change = listener;
    };
    announceAnomalies({ onDidChange } as unknown as RunStore);
    const now = (...anomalies: [kind: string, step: number][]) => {
      const told = anomalies.map(([kind, step]) => ({ id: `${step}-${kind}`, kind, step, cause: kind, actions: [] }));
      change({ changed: [{ id: "notes-1", name: "notes", anomalies: told } as unknown as RunSummary] });
    };
    now(["loss-divergence", 3]);
    for (let step = 4; step < 40; step++) now(["loss-divergence", step]);
    now(["loss-divergence", 40], ["stall", 40]);
    expect(shown).toEqual(["notes, step 3: loss-divergence", "notes, step 40: stall"]);
    now(["loss-divergence", 40]);
    now();
    now(["loss-divergence", 50]);
    now();
    now(["loss-divergence", 50]);
    expect(shown.slice(2)).toEqual(["notes, step 50: loss-divergence"]);
  });
});
