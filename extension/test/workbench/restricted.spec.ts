import fs from "node:fs";
import path from "node:path";

import { expect } from "./harness";
import { altered, createProject, daemons, editorOptions, FILE, test as product } from "./product";

const test = product.extend<object, { editorOptions: typeof editorOptions }>({
  editorOptions: [{ ...editorOptions, trust: "restricted" }, { scope: "worker" }],
});

test("in Restricted Mode files are checked, but the workspace's interpreter is ignored and Run is off", async ({
  workbench,
  editor,
}) => {
  const { page } = workbench;
  const folder = createProject(editor, "restricted", altered(["batch_size", "batch_sise"]));
  const trap = path.join(folder, "interpreter-of-the-workspace");
  const caught = path.join(folder, "caught");
  fs.writeFileSync(trap, `#!/bin/sh\ntouch ${caught}\n`, { mode: 0o755 });
  fs.mkdirSync(path.join(folder, ".vscode"));
  const settings = { "peft.server.interpreter": trap, "peft.python": trap };
  fs.writeFileSync(path.join(folder, ".vscode/settings.json"), JSON.stringify(settings));

  await workbench.open(folder);
  await workbench.openFile(FILE);
  await expect(workbench.squiggles("error")).toHaveCount(1);
  expect(daemons(editor)).toHaveLength(1);
  expect(fs.existsSync(caught)).toBe(false);

  await expect(page.locator(".editor-actions .action-item.disabled .codicon-play")).toBeVisible();
  await workbench.runCommand("View: Show PEFT Workbench");
  await expect(page.locator(".welcome-view-content", { hasText: "Restricted Mode" })).toBeVisible();
});
