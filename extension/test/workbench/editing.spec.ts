import { expect, until } from "./harness";
import { CONFIG, createProject, daemons, illustrate, test } from "./product";

const FAULTY = CONFIG.replace("learning_rate", "learnin_rate");

test("a misspelt key is underlined, and its quick fix mends it", async ({ workbench, editor }) => {
  await workbench.open(createProject(editor, "faulty", FAULTY));
  await workbench.openFile("run.peft.yaml");
  await expect(workbench.squiggles("error")).toHaveCount(1);
  const [problem] = await workbench.problems();
  expect(problem).toMatchObject({ file: "run.peft.yaml", severity: "error", line: 12, column: 3 });
  expect(problem?.message).toContain("learnin_rate");

  await workbench.goTo(12, 5);
  await workbench.page.keyboard.press("Control+Period");
  const fix = workbench.page.locator(".action-widget .monaco-list-row", { hasText: "learning_rate" }).first();
  await fix.waitFor();
  await illustrate(workbench.page, "quick-fix");
  await fix.click();
  await expect(workbench.squiggles("error")).toHaveCount(0);
  expect((await workbench.visibleText()).join("\n")).toContain("  learning_rate: 1.0e-3");
});

test("a daemon that was killed is started again, and faults are shown again", async ({ workbench, editor }) => {
  await workbench.open(createProject(editor, "killed"));
  await workbench.openFile("run.peft.yaml");
  const first = await until("the daemon", 60_000, () => daemons(editor)[0]);
  await expect(workbench.statusBarItem(/^\s*PEFT\s*$/).locator(".codicon-check")).toBeVisible();

  process.kill(first.pid, "SIGKILL");
  await until("another daemon", 60_000, () => daemons(editor).find(({ pid }) => pid !== first.pid));
  await workbench.goTo(12, 3);
  await workbench.type("x");
  await expect(workbench.squiggles("error")).toHaveCount(1);
});
