/** Exports and imports of runs that are given up in the middle. */
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";

import { type EditorServer, expect, until } from "./harness";
import { PYTHON, test } from "./product";

const ROOT = path.resolve(__dirname, "../../..");
/** So many that nobody presses Cancel too late. */
const BYTES = 3 * 1024 ** 3;
const MINUTE_MS = 60_000;

function python(editor: EditorServer, script: string): void {
  const env = { ...process.env, PEFTW_HOME: path.join(editor.home, ".local/share/peft-workbench") };
  execFileSync(PYTHON, ["-c", script], { cwd: ROOT, env });
}

test("an export and an import that are cancelled say so, and leave no file and no run", async ({
  workbench,
  editor,
}) => {
  test.setTimeout(10 * MINUTE_MS);
  const runs = path.join(editor.home, ".local/share/peft-workbench/runs");
  python(editor, `from tests.large_run import make_large_run; make_large_run("large", ${BYTES})`);
  const project = editor.createFolder("moving", {});
  await workbench.open(project);

  await workbench.runCommand("PEFT: Export Run");
  await workbench.pick("Without Checkpoints");
  await workbench.acceptFile("Export large-1");
  const exporting = workbench.notification("Exporting large-1");
  await until("the export to write", MINUTE_MS, () => fs.readdirSync(project).length > 0);
  await exporting.hover();
  await exporting.getByRole("button", { name: "Cancel" }).click();
  await expect(
    workbench.notification("The export of large-1 was cancelled; large-1.tar.gz was not written."),
  ).toBeVisible();
  expect(fs.readdirSync(project)).toEqual([]);

  const bundle = path.join(project, "large-1.tar.gz");
  python(
    editor,
    `from pathlib import Path
from peft_daemon.runs.bundle import export_run
from peft_engine.rundir import find_run
export_run(find_run("large-1"), Path(${JSON.stringify(bundle)}))`,
  );
  await workbench.runCommand("PEFT: Import Run");
  await workbench.pick("large-1.tar.gz");
  const importing = workbench.notification("Importing large-1.tar.gz");
  await until("the import to write", MINUTE_MS, () => fs.readdirSync(runs).length > 1 || undefined);
  await importing.hover();
  await importing.getByRole("button", { name: "Cancel" }).click();
  await expect(
    workbench.notification("The import of large-1.tar.gz was cancelled; nothing of it was kept."),
  ).toBeVisible();
  expect(fs.readdirSync(runs)).toEqual(["large-1"]);

  // Specs share a home.
  fs.rmSync(path.join(runs, "large-1"), { recursive: true, maxRetries: 5 });
  fs.rmSync(bundle);
});
