import { expect, until } from "./harness";
import { createProject, daemons, illustrate, test } from "./product";

const RUN_MS = 10 * 60_000;

test("a run is started, watched to its end, and its adapter answers in the chat", async ({ workbench, editor }) => {
  test.setTimeout(RUN_MS + 5 * 60_000);
  const { page } = workbench;
  await workbench.open(createProject(editor, "project"));
  await workbench.openFile("run.peft.yaml");
  await until("the daemon", 60_000, () => daemons(editor)[0]);
  await page.locator(".editor-actions .codicon-play").click();

  const panel = await workbench.webview("h1:text-is('pirate')");
  const loss = panel.locator("tr", { hasText: "Training loss" }).locator("td");
  await expect(loss).toBeVisible({ timeout: RUN_MS });
  const first = await loss.textContent();
  await expect(loss).not.toHaveText(first ?? "", { timeout: RUN_MS });
  await illustrate(page, "run-panel");
  await page.screenshot({ path: "/tmp/pv/run1.png" });

  await expect(panel.locator(".state")).toHaveText("completed", { timeout: RUN_MS });
  await page.screenshot({ path: "/tmp/pv/run2.png" });
  await workbench.notification("is complete").getByRole("button", { name: "Chat" }).click();
  await page.screenshot({ path: "/tmp/pv/run3.png" });
  await page.keyboard.type("Tell me about the sea.");
  await page.keyboard.press("Enter");
  await page.waitForTimeout(20000);
  await page.screenshot({ path: "/tmp/pv/run4.png" });
});
