import { describe, expect, it } from "vitest";

import { offerItem, resultName, resultText } from "../../src/library/conversion";

describe("a conversion", () => {
  it.each([
    ["org/SmolLM2-135M", "gguf:q8_0", "SmolLM2-135M-q8_0.gguf"],
    ["org/base:release-notes-1", "gguf-adapter", "base-release-notes-1-adapter.gguf"],
    ["/m/old model.bin", "safetensors", "old-model.safetensors"],
    ["/m/weights.npz", "safetensors", "weights.safetensors"],
    ["/m/old model", "safetensors", "old-model-safetensors"],
    ["tiny:1b", "gguf:f16", "tiny-1b-f16.gguf"],
  ])("of %s to %s is called %s", (model, to, name) => {
    expect(resultName(model, to)).toBe(name);
  });

  it("is offered with what it takes", () => {
    expect(offerItem({ to: "gguf:q4_k_m", bytes: 1.2e9 })).toEqual({
      label: "GGUF Q4_K_M",
      description: "about 1.2 GB",
      to: "gguf:q4_k_m",
    });
    expect(offerItem({ to: "gguf-adapter", bytes: null }).description).toBe("");
  });

  it("says how near its result is to the source", () => {
    const made = { output: "/m/x.gguf", bytes: 1.5e8, difference: 0.052, tolerance: 0.1 };
    expect(resultText({ ...made, comparison: "logits" })).toBe(
      "Written to /m/x.gguf (150 MB). What it says differs from its source by 5.2 %, of 10.0 % allowed.",
    );
    expect(resultText({ ...made, comparison: "bits" })).toContain("the same numbers");
  });
});
