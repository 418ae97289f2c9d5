/** The extension with no Python set: it makes its own environment, here from a wheelhouse in place of a package index. */
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";

import { type EditorOptions, expect, until } from "./harness";
import { altered, createProject, daemons, FILE, PYTHON, test as product, VSIX } from "./product";

const MINUTES = 60_000;

const test = product.extend<object, { editorOptions: EditorOptions }>({
  editorOptions: [
    // Playwright finds out what a fixture depends on by this pattern.
    // eslint-disable-next-line no-empty-pattern
    async ({}, use) => {
      const wheelhouse = fs.mkdtempSync(path.join(os.tmpdir(), "wheelhouse-"));
      execFileSync(PYTHON, [path.join(__dirname, "../environment/wheelhouse.py"), wheelhouse]);
      await use({ extensions: [VSIX], env: { PIP_NO_INDEX: "1", PIP_FIND_LINKS: wheelhouse } });
      fs.rmSync(wheelhouse, { recursive: true });
    },
    { scope: "worker" },
  ],
});

test("the environment is made with progress, and made anew when it is damaged", async ({ workbench, editor }) => {
  test.setTimeout(10 * MINUTES);
  const { page } = workbench;
  await workbench.open(createProject(editor, "fresh", altered(["learning_rate", "learnin_rate"])));
  await workbench.openFile(FILE);
  await expect(workbench.notification("PEFT: setting up")).toBeVisible();
  await expect(workbench.squiggles("error")).toHaveCount(1, { timeout: 5 * MINUTES });
  await expect(workbench.notification("PEFT: setting up")).toHaveCount(0);

  const daemon = await until("the daemon", MINUTES, () => daemons(editor)[0]);
  const python = daemon.args[0] ?? "";
  expect(python).toContain(path.join("peft-workbench.peft-workbench", "environments"));
  const grammar = path.resolve(
    python,
    "../../lib",
    fs.readdirSync(path.resolve(python, "../../lib"))[0] ?? "",
    "site-packages/tree_sitter_yaml",
  );
  fs.rmSync(grammar, { recursive: true });
  await workbench.runCommand("PEFT: Restart Server");
  await until("the repair", 5 * MINUTES, () => (fs.existsSync(grammar) ? true : undefined));
  await until("another daemon", 5 * MINUTES, () => daemons(editor).find(({ pid }) => pid !== daemon.pid));
  await expect(workbench.squiggles("error")).toHaveCount(1);

  await page.locator(".editor-actions .codicon-play").click();
  await expect(page.locator(".monaco-dialog-box", { hasText: "Training needs more packages" })).toBeVisible();
});
