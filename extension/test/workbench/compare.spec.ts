/** A run beside other runs, as a person compares them. */
import fs from "node:fs";
import path from "node:path";

import { expect } from "./harness";
import { productHome, runPython, test } from "./product";

const MINUTE_MS = 60_000;
const OTHERS = ["beta", "delta", "epsilon", "gamma", "lambda", "omega"];

test("up to five other runs are drawn beside one, more are refused in words, and a reload keeps them", async ({
  workbench,
  editor,
}) => {
  test.setTimeout(6 * MINUTE_MS);
  const { page } = workbench;
  await runPython(
    editor,
    `from tests.unit.store.conftest import make_run_directory
for number, name in enumerate(${JSON.stringify([...OTHERS, "alpha"])}, 1):
    make_run_directory(name, losses=[number / 4 + 3 / step for step in range(1, 20 + 5 * number)])`,
  );
  await workbench.open(editor.createFolder("compared"));
  await workbench.runCommand("PEFT: Open Run");
  await workbench.pick("alpha");
  let panel = await workbench.webview("h1:text-is('alpha')");
  await panel.getByRole("button", { name: "Compare…" }).click();

  const list = page.locator(".quick-input-widget:visible");
  await expect(list).toContainText("Draw Beside alpha-1");
  for (const name of OTHERS) await workbench.check(`${name}-1`);
  const told = "Up to 5 runs can be drawn beside another, and 6 are chosen. Take some away.";
  await expect(list).toContainText(told);
  await workbench.confirm();
  await expect(workbench.notification(told)).toBeVisible();
  await expect(list).toContainText(told);
  await workbench.check("omega-1", false);
  await expect(list).toContainText("Draw Beside alpha-1");
  await workbench.confirm();
  await expect(list).toHaveCount(0);

  const legend = panel.locator(".u-legend").first();
  for (const name of OTHERS.slice(0, -1)) await expect(legend).toContainText(`${name}-1`);
  await expect(legend).not.toContainText("omega-1");
  await expect(panel.getByRole("img", { name: /^Loss by step.*, beside .*beta-1/ })).toBeVisible();

  await workbench.reload();
  panel = await workbench.webview("h1:text-is('alpha')");
  for (const name of OTHERS.slice(0, -1)) await expect(panel.locator(".u-legend").first()).toContainText(`${name}-1`);
  await panel.getByRole("button", { name: "Compare with None" }).click();
  await expect(panel.locator(".u-legend").first()).not.toContainText("beta-1");

  // Specs share a home.
  const runs = path.join(productHome(editor), "runs");
  for (const name of [...OTHERS, "alpha"]) fs.rmSync(path.join(runs, `${name}-1`), { recursive: true, maxRetries: 5 });
});
