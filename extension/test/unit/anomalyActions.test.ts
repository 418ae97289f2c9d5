/** What is offered where an anomaly is marked in a config. */
import { describe, expect, it, vi } from "vitest";

interface Provider {
  provideCodeActions(document: unknown, range: unknown, context: { diagnostics: unknown[] }): { title: string }[];
}

const registered = vi.hoisted((): Provider[] => []);

vi.mock("vscode", () => ({
  CodeActionKind: { QuickFix: "quickfix" },
  CodeAction: class {
    constructor(readonly title: string) {}
  },
  languages: { registerCodeActionsProvider: (_: unknown, provider: Provider) => registered.push(provider) },
}));

import type { RunSummary } from "../../src/protocol/types";
import { offerAnomalyActions } from "../../src/runs/anomalyActions";
import { MARK_SOURCE, markText } from "../../src/runs/anomalyMarks";
import type { RunStore } from "../../src/runs/runStore";

describe("the actions at the mark of an anomaly", () => {
  it("are those of its own run, however another run of the config is called", () => {
    const anomaly = {
      ...{ seq: 1, time: "", type: "anomaly", id: "a-1", kind: "stall", step: 3, key: null, cause: "It stands still." },
      ...{ evidence: { minutes: 9 }, actions: [{ action: "pause", title: "Pause the run" }] },
    };
    const of = (id: string, state: RunSummary["state"] = "running") =>
      ({ id, state, config_path: "/notes.peft.yaml", anomalies: [anomaly] }) as unknown as RunSummary;
    const runs = [of("notes-1"), of("my notes-1"), of("notes-2", "stopping"), of("notes-3", "completed")];
    offerAnomalyActions({ runs } as unknown as RunStore);
    const offered = (marked: RunSummary[]) => {
      const diagnostics = marked.map((one) => ({
        source: MARK_SOURCE,
        code: "stall",
        message: one.anomalies?.map((found) => markText(one, found)).join(""),
      }));
      const document = { uri: { fsPath: "/notes.peft.yaml" } };
      return registered[0]?.provideCodeActions(document, undefined, { diagnostics }).map(({ title }) => title);
    };
    expect(offered(runs.slice(1, 2))).toEqual(["Pause the run (run my notes-1)"]);
    expect(offered(runs)).toHaveLength(3);
    expect(offered([])).toEqual([]);
  });
});
