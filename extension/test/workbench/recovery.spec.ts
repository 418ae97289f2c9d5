/** What a person sees and can do when something is wrong with a run, and when its training was killed. */
import fs from "node:fs";
import path from "node:path";

import { type EditorServer, expect, until } from "./harness";
import { altered, createProject, FILE, positionOf, test } from "./product";
import { expectWholeCurve, pressRun, RUN_MS, stepAfter } from "./runningRun";

/** No machine has so little memory in use, so there is something to be told of in any run. */
const WATCHED = altered(
  ["name: quick", "name: watched"],
  ["max_steps: 10", "max_steps: 5000"],
  ["batch_size: 4", "batch_size: 2"],
).concat("\nwatch:\n  memory_limit: 0.01\n");

/** Kills the training of a run, as a machine that is short of memory does. */
function killWorker(editor: EditorServer): void {
  const workers = editor.processes().filter(({ args }) => args.includes("peft_engine.training"));
  expect(workers).not.toEqual([]);
  for (const { pid } of workers) process.kill(pid, "SIGKILL");
}

test("what is wrong with a run is mended at its mark in the config, and a killed run goes on when told to", async ({
  workbench,
  editor,
}) => {
  test.setTimeout(2 * RUN_MS);
  const { page } = workbench;
  const project = createProject(editor, "watched", WATCHED);
  await workbench.open(project);
  let panel = await pressRun(workbench);
  await stepAfter(panel, 1);

  await workbench.runCommand("View: Focus First Editor Group");
  await workbench.openFile(FILE);
  const mark = { source: "PEFT run", code: "memory-pressure", ...positionOf("batch_size", WATCHED) };
  await expect.poll(() => workbench.problems()).toContainEqual(expect.objectContaining(mark));
  await workbench.goTo(mark.line, mark.column);
  const mend = page.locator(".action-widget .monaco-list-row", { hasText: "Halve the batch" }).first();
  const recovery = panel.locator(".recovery");
  await until("the batch to be halved", RUN_MS, async () => {
    // The list closes when something changes under it, as diagnostics do; a click at that moment is lost.
    await page.keyboard.press("Control+Period");
    try {
      await mend.click({ timeout: 5_000 });
      await expect(recovery).toContainText("batch_size from 2 to 1", { timeout: 30_000 });
      return true;
    } catch {
      return undefined;
    }
  });

  fs.writeFileSync(path.join(project, FILE), WATCHED.replace("3.0e-3", "2.0e-3"));
  killWorker(editor);
  await workbench.answerNotification("without a word: it was killed or crashed", "Resume", RUN_MS);
  const question = page.locator(".monaco-dialog-box");
  await expect(question).toContainText("training.learning_rate: 0.003 → 0.002");
  await question.getByRole("button", { name: "Cancel" }).click();
  await expect(panel.locator(".state")).toHaveText("failed");

  await workbench.reload();
  const offer = /watched was interrupted at step \d+\. It can go on from checkpoints/;
  await workbench.answerNotification(offer, "Resume");
  await question.getByRole("button", { name: "Resume Anyway" }).click();
  panel = await workbench.webview("h1:text-is('watched')");
  await expect(panel.locator(".state")).toHaveText("running", { timeout: RUN_MS });
  await expectWholeCurve(panel);

  await panel.getByRole("button", { name: "Stop" }).click();
  await expect(panel.locator(".state")).toHaveText("stopped", { timeout: RUN_MS });
  // Specs share a home, and others choose among their own runs only.
  fs.rmSync(path.join(editor.home, ".local/share/peft-workbench/runs/watched-1"), { recursive: true, maxRetries: 5 });
});
