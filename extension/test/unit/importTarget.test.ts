import path from "node:path";

import { describe, expect, it } from "vitest";

import { importTarget } from "../../src/commands/importTarget";

describe("importTarget", () => {
  it.each([
    ["lora.yml", [], "lora.peft.yaml"],
    ["sft.json", [], "sft.peft.yaml"],
    ["no-ending", [], "no-ending.peft.yaml"],
    ["lora.yml", ["lora.peft.yaml", "lora-2.peft.yaml"], "lora-3.peft.yaml"],
  ])("makes of %s, with %j there, %s", (source, there, expected) => {
    const folder = path.join("a", "b");
    const exists = (file: string) => there.includes(path.basename(file));
    expect(importTarget(path.join(folder, source), exists)).toBe(path.join(folder, expected));
  });
});
