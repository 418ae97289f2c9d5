/** What is said of a run that is kept: what it made, with what, and what a person noted. */
import { describe, expect, it, vi } from "vitest";

import type { Artifact, RunSummary } from "../../src/protocol/types";
import { gather, madeText } from "../../src/runs/artifacts";
import { evidenceText, tagsOf } from "../../src/runs/describe";
import { wasInterrupted } from "../../src/runs/interruptionNotice";
import { recordFacts } from "../../src/runs/record";

vi.mock("vscode", () => ({}));

const made = (path: string, bytes: number | null): Artifact => ({ path, sha256: "", bytes, present: bytes !== null });

describe("what a run made", () => {
  it("is a row for each checkpoint and each folder, however many files it has", () => {
    const found = gather([
      made("adapter.gguf", 2_000),
      made("adapter/README.md", 1_000),
      made("adapter/adapter_model.safetensors", 3_000_000),
      made("checkpoints/step-000005", 59_000_000),
      made("checkpoints/step-000010", 59_000_000),
    ]);
    expect(found.map((one) => [one.path, madeText(one)])).toEqual([
      ["adapter.gguf", "2.0 kB"],
      ["adapter", "3.0 MB"],
      ["checkpoints/step-000005", "59 MB"],
      ["checkpoints/step-000010", "59 MB"],
    ]);
  });

  it("H6 stays in sight when it is gone, whole or in part", () => {
    const found = gather([made("adapter.gguf", null), made("adapter/README.md", 10), made("adapter/model", null)]);
    expect(found.map(madeText)).toEqual(["is gone", "1 of 2 files is gone"]);
  });
});

describe("the record of a run", () => {
  it("is told by what a person looks for", () => {
    const record = {
      python: "3.11.7 (main, May 9 2026)",
      platform: "Linux",
      packages: { torch: "2.13.0", unsloth: null },
      seed: 42,
      threads: 2,
      git: { commit: "1cf5a75ec5078fa8add5f1f", dirty: true },
      base: { id: "org/base", revision: null },
      datasets: [{ path: "/data/train.jsonl", sha256: "e830e020659e29892df9", examples: 196 }],
      hardware: { cpu: "Xeon", total_memory_bytes: 25_276_502_016 },
    };
    expect(recordFacts(record)).toEqual([
      ["Python", "3.11.7"],
      ["torch", "2.13.0"],
      ["Seed", "42"],
      ["Threads", "2"],
      ["Commit", "1cf5a75ec507, with changes"],
      ["System", "Linux"],
      ["Processor", "Xeon"],
      ["Memory", "25 GB"],
      ["Base", "org/base"],
      ["train.jsonl", "196 examples, sha256 e830e020659e…"],
    ]);
  });

  it("has nothing to say where there is none, and no more than there is in another program's", () => {
    for (const record of [undefined, null, 1, [], "x", {}]) expect(recordFacts(record)).toEqual([]);
    expect(recordFacts({ packages: 3, git: null, datasets: "none", seed: 1 })).toEqual([["Seed", "1"]]);
  });
});

describe("words of a person and of a detector", () => {
  it("takes tags apart at commas, each once", () => {
    expect(tagsOf(" best, for demo,,best ,")).toEqual(["best", "for demo"]);
    expect(tagsOf("")).toEqual([]);
  });

  it("says what an anomaly is concluded from", () => {
    expect(evidenceText({ loss: 3.21987, grad_norm: null })).toBe("loss 3.22, grad norm not a number");
    expect(evidenceText({ lowest: 0.0000123 })).toBe("lowest 0.0000123");
  });
});

describe("F14 a run that was interrupted while nobody looked", () => {
  const NOW = Date.parse("2026-01-02T10:00:00Z");
  const killed = {
    state: "failed",
    updated: "2026-01-02T09:00:00Z",
    error: { code: "worker-killed", message: "", remedy: "" },
  } as RunSummary;

  it("is offered to be resumed", () => {
    expect(wasInterrupted(killed, NOW)).toBe(true);
  });

  it("is not, when it failed otherwise, goes, or was interrupted long ago", () => {
    expect(wasInterrupted({ ...killed, error: { code: "disk-full", message: "", remedy: "" } }, NOW)).toBe(false);
    expect(wasInterrupted({ ...killed, state: "running" }, NOW)).toBe(false);
    expect(wasInterrupted({ ...killed, updated: "2025-12-31T09:00:00Z" }, NOW)).toBe(false);
  });
});
