import path from "node:path";

import { describe, expect, it } from "vitest";

import { exportTarget, importTarget } from "../../src/commands/translationTarget";

const folder = path.join("a", "b");
const among = (names: string[]) => (file: string) => names.includes(path.basename(file));

describe("importTarget", () => {
  it.each([
    ["lora.yml", [], "lora.peft.yaml"],
    ["sft.json", [], "sft.peft.yaml"],
    ["no-ending", [], "no-ending.peft.yaml"],
    ["lora.yml", ["lora.peft.yaml", "lora-2.peft.yaml"], "lora-3.peft.yaml"],
  ])("makes of %s, with %j there, %s", (source, there, expected) => {
    expect(importTarget(path.join(folder, source), among(there))).toBe(path.join(folder, expected));
  });
});

describe("exportTarget", () => {
  it.each([
    ["desk.peft.yaml", [], "desk.axolotl.yaml"],
    ["desk.peft.yml", ["desk.axolotl.yaml"], "desk-2.axolotl.yaml"],
  ])("makes of %s, with %j there, %s", (config, there, expected) => {
    expect(exportTarget(path.join(folder, config), "axolotl", among(there))).toBe(path.join(folder, expected));
  });
});
