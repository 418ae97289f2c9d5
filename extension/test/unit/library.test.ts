import { describe, expect, it } from "vitest";

import { baseEdit } from "../../src/library/baseEdit";
import { modelFacts, modelSummary } from "../../src/library/describe";
import { FILTER_CHOICES, filterText, queryOf } from "../../src/library/filter";
import type { ModelEntry } from "../../src/protocol/types";

const MODEL: ModelEntry = {
  id: "pub/repo/tiny",
  source: "lm-studio",
  path: "/m/tiny.gguf",
  base: "/m/tiny.gguf",
  facts: {
    format: "gguf",
    size_bytes: 1.2e9,
    architecture: "llama",
    parameters: 1_100_000_000,
    quantization: "Q4_K_M",
    context_length: 8192,
    capabilities: ["chat", "tools"],
    licence: "mit",
  },
};

describe("a model", () => {
  it("is summarised by what one chooses it for", () => {
    expect(modelSummary(MODEL)).toBe("Q4_K_M · 1.2 GB · 8,192 tokens");
    expect(modelSummary({ ...MODEL, facts: null })).toBe("cannot be used");
  });

  it("is described by what is known, and by what it takes once it is loaded", () => {
    const resident = { base: MODEL.id, state: "ready", memory_bytes: 2e9 } as const;
    expect(Object.fromEntries(modelFacts(MODEL, resident))).toEqual({
      Source: "LM Studio",
      Format: "gguf",
      Size: "1.2 GB",
      Architecture: "llama",
      Parameters: "1,100,000,000",
      Quantization: "Q4_K_M",
      Context: "8,192 tokens",
      "Made for": "chat, tools",
      Licence: "mit",
      "In memory": "2.0 GB",
      Path: "/m/tiny.gguf",
    });
    expect(modelFacts({ ...MODEL, copies: ["tiny:1b", "x"] }, undefined)).toContainEqual([
      "Same weights",
      "tiny:1b, x",
    ]);
    expect(modelFacts({ ...MODEL, facts: null }, undefined).map(([name]) => name)).toEqual(["Source", "Path"]);
  });
});

describe("the filter", () => {
  const named = (...labels: string[]) => FILTER_CHOICES.filter(({ label }) => labels.includes(label));

  it("wants everything while nothing is chosen", () => {
    expect(queryOf([])).toEqual({ formats: [], sources: [], capabilities: [], min_bytes: null, max_bytes: null });
  });

  it("takes several values of one kind", () => {
    const choices = named("GGUF", "Tool calls", "Chat", "Ollama", "LM Studio");
    expect(queryOf(choices)).toMatchObject({
      formats: ["gguf"],
      capabilities: ["chat", "tools"],
      sources: ["lm-studio", "ollama"],
    });
    expect(filterText(choices)).toBe("GGUF, Chat, Tool calls, LM Studio, Ollama");
  });

  it.each([
    [["Up to 1 GB"], null, 1e9],
    [["1 to 5 GB", "5 to 20 GB"], 1e9, 20e9],
    [["From 20 GB"], 20e9, null],
    [["Up to 1 GB", "From 20 GB"], null, null],
  ])("takes the sizes %j as a span", (labels, min_bytes, max_bytes) => {
    expect(queryOf(named(...labels))).toMatchObject({ min_bytes, max_bytes });
  });
});

describe("writing model.base", () => {
  const written = (text: string, base: string) => {
    const lines = text.split("\n");
    const edit = baseEdit(lines, base);
    const line = lines[edit.line] ?? "";
    lines[edit.line] = line.slice(0, edit.start) + edit.text + line.slice(edit.end);
    return lines.join("\n");
  };

  it.each([
    [
      "replaces a value and keeps its comment",
      "model:\n  base: old/one # mine\n  dtype: auto\n",
      "model:\n  base: new/one # mine\n  dtype: auto\n",
    ],
    ["fills a value that is missing", "model:\n  base:\n", "model:\n  base: new/one\n"],
    [
      "adds the key to its section",
      "version: 1\nmodel:\n    dtype: auto\n",
      "version: 1\nmodel:\n    base: new/one\n    dtype: auto\n",
    ],
    [
      "adds the section after the head",
      "version: 1\nname: x\nmethod:\n  r: 8\n",
      "version: 1\nname: x\nmodel:\n  base: new/one\nmethod:\n  r: 8\n",
    ],
    [
      "leaves the base of another section alone",
      "model:\n  dtype: auto\nother:\n  base: x\n",
      "model:\n  base: new/one\n  dtype: auto\nother:\n  base: x\n",
    ],
    ["begins an empty file", "", "model:\n  base: new/one\n"],
  ])("%s", (_, before, after) => {
    expect(written(before, "new/one")).toBe(after);
  });

  it("quotes what YAML would read as something else", () => {
    expect(written("model:\n  base: x\n", "/m/a: #b.gguf")).toBe('model:\n  base: "/m/a: #b.gguf"\n');
  });
});
