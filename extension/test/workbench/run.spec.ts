import fs from "node:fs";
import path from "node:path";

import { say } from "./editorChat";
import { expect } from "./harness";
import { altered, createProject, daemons, FILE, illustrate, test } from "./product";
import { expectWholeCurve, pressRun, progress, RUN_MS, stepAfter } from "./runningRun";

const ENDLESS = altered(
  ["name: quick", "name: endless"],
  ["max_steps: 10", "max_steps: 5000"],
  ["batch_size: 4", "batch_size: 1"],
);

test("F26 I8 a run is started, watched to its end, its adapter answers in the chat, and it is exported and brought back", async ({
  workbench,
  editor,
}) => {
  test.setTimeout(2 * RUN_MS);
  const { page } = workbench;
  const project = createProject(editor, "project");
  await workbench.open(project);
  const panel = await pressRun(workbench);
  const loss = panel.locator("tr", { hasText: "Training loss" }).locator("td");
  await expect(loss).toBeVisible({ timeout: RUN_MS });
  const first = Number(await loss.textContent());
  await stepAfter(panel, 6);
  await expect(workbench.statusBarItem(/quick \d+\/10 {2}loss/)).toBeVisible();
  await illustrate(page, "run-panel");

  await expect(panel.locator(".state")).toHaveText("completed", { timeout: RUN_MS });
  expect(Number(await loss.textContent())).toBeLessThan(first);
  await expectWholeCurve(panel);

  await panel.getByLabel("Tags").fill("best");
  await panel.getByText("Environment", { exact: true }).click();
  await expect(panel.locator("tr", { hasText: "transformers" })).toContainText(/\d+\.\d+/);
  await workbench.runCommand("View: Show PEFT Workbench");
  const rows = page.locator(".tree-explorer-viewlet-tree-view .monaco-list-row");
  const run = rows.filter({ hasText: "completed" });
  await expect(run).toContainText(/quick-1.*1\.0\.0 · best/);
  const made = rows.filter({ hasText: "adapter.gguf" });
  await workbench.expand(run, made);
  await expect(made).toContainText("MB");

  await workbench.answerNotification("quick is complete", "Try It");
  const chat = await workbench.webview("#chat header");
  await expect(chat.locator(".state")).toHaveText("Ready", { timeout: RUN_MS });
  await expect(chat.getByLabel("Model", { exact: true })).toHaveValue(/:quick-1$/);
  await chat.getByRole("textbox", { name: "Prompt", exact: true }).fill("Can I clean it with water?");
  await chat.getByRole("button", { name: "Send" }).click();
  await expect(chat.locator(".answer-text")).toContainText("Larkspur desk", { timeout: RUN_MS });

  await workbench.runCommand("PEFT: Choose Chat Model");
  await workbench.pick("Newest adapter");
  await expect(page.locator(".chat-input-container .monaco-editor").first()).toContainText("@peft");
  // The editor lets nobody ask before the model is in its picker.
  await expect(page.locator(".chat-input-container")).toContainText("quick");
  const answer = await say(workbench, "@peft Can I clean it with water?");
  await expect(answer).toContainText("Larkspur desk");
  await illustrate(page, "chat");

  await workbench.runCommand("PEFT: Export Run");
  await workbench.pick("Without Checkpoints");
  await expect(page.locator(".quick-input-widget:visible input.input")).toHaveValue(/\/quick-1\.tar\.gz$/);
  await workbench.acceptFile("Export quick-1");
  await expect(workbench.notification("quick-1 was exported to quick-1.tar.gz")).toBeVisible();

  // A file that somebody removed is still told of, and the run can still be opened and noted.
  fs.rmSync(path.join(editor.home, ".local/share/peft-workbench/runs/quick-1/adapter.gguf"));
  await workbench.runCommand("PEFT: Pin Run");
  await workbench.runCommand("View: Show PEFT Workbench");
  await expect(run).toContainText("pinned");
  await expect(made).toContainText("is gone");

  // What comes from elsewhere has no config where the run says.
  fs.rmSync(path.join(project, FILE));
  await workbench.runCommand("PEFT: Import Run");
  await workbench.pick("quick-1.tar.gz");
  await workbench.answerNotification("quick was imported as run quick-2", "Open");
  const imported = await workbench.webview(".facts:has-text('quick-2')");
  await imported.getByRole("button", { name: "Compare…" }).click();
  await workbench.check("quick-1");
  await workbench.confirm();
  await expect(imported.locator(".u-legend").first()).toContainText("quick-1");
  await imported.getByRole("button", { name: "Folder" }).click();
  await expect(page.locator(".terminal-wrapper")).toBeVisible();
  await imported.getByRole("button", { name: "Config" }).click();
  await expect(page.locator(".tab.active", { hasText: "config.peft.yaml" })).toBeVisible();
});

test("a run goes on through a killed daemon, a reloaded window and a pause, stops when told, and is removed", async ({
  workbench,
  editor,
}) => {
  test.setTimeout(2 * RUN_MS);
  await workbench.open(createProject(editor, "endless", ENDLESS));
  let panel = await pressRun(workbench);
  const before = await stepAfter(panel, 1);

  const [daemon] = daemons(editor);
  process.kill(daemon?.pid ?? 0, "SIGKILL");
  const after = await stepAfter(panel, before + 1);
  expect(daemons(editor).map(({ pid }) => pid)).not.toContain(daemon?.pid);
  await expectWholeCurve(panel);

  await workbench.reload();
  panel = await workbench.webview("h1:text-is('endless')");
  await stepAfter(panel, after);
  await expectWholeCurve(panel);

  await panel.getByRole("button", { name: "Pause" }).click();
  await expect(panel.locator(".state")).toHaveText("paused", { timeout: RUN_MS });
  const { step: paused } = await progress(panel);
  await expect(panel.getByRole("region", { name: "Paused" })).toContainText(/Trained for.*Left.*Last loss.*Memory/);
  await panel.getByRole("button", { name: "Resume" }).click();
  await stepAfter(panel, paused);
  await expectWholeCurve(panel);

  await panel.getByRole("button", { name: "Stop" }).click();
  await expect(panel.locator(".state")).toHaveText("stopped", { timeout: RUN_MS });
  await workbench.runCommand("View: Show PEFT Workbench");
  const row = workbench.page.locator(".tree-explorer-viewlet-tree-view .monaco-list-row", { hasText: "endless" });
  await expect(row).toContainText("stopped");

  await workbench.runCommand("PEFT: Clean Up Runs");
  await workbench.check("endless-1");
  await workbench.confirm();
  await workbench.page.locator(".monaco-dialog-box").getByRole("button", { name: "Remove" }).click();
  await expect(row).toHaveCount(0);
});
