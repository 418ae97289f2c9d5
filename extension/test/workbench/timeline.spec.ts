/** The versions of a config that the editor's own Timeline keeps: with their time, a note, what changed, and the way back. */
import fs from "node:fs";
import path from "node:path";

import { expect, until } from "./harness";
import { CONFIG, createProject, FILE, positionOf, test } from "./product";

/** The editor takes saves within this time for one version; its own choice is ten seconds. */
const MERGED_MS = 1_000;

test("B26 three saves of a config are three versions, which have a note and a difference, and the first can be had back", async ({
  workbench,
  editor,
}) => {
  const { page } = workbench;
  const folder = createProject(editor, "versions");
  fs.mkdirSync(path.join(folder, ".vscode"));
  const settings = { "workbench.localHistory.mergeWindow": MERGED_MS / 1_000 };
  fs.writeFileSync(path.join(folder, ".vscode/settings.json"), JSON.stringify(settings));
  const written = () => fs.readFileSync(path.join(folder, FILE), "utf8");
  await workbench.open(folder);
  await workbench.openFile(FILE);

  await workbench.runCommand("Explorer: Focus on Timeline View");
  const versions = page.locator(".timeline-tree-view .monaco-list-row", { hasText: "File Saved" });
  const { line, column } = positionOf("seed: 42", CONFIG);
  const saved: string[] = [];
  for (const digit of "123") {
    await workbench.goTo(line, column + "seed: 42".length + saved.length);
    await workbench.type(digit);
    await workbench.save();
    const at = Date.now();
    saved.push(written());
    await expect(versions).toHaveCount(saved.length);
    await until("the next version", 60_000, () => (Date.now() - at > MERGED_MS ? true : undefined));
  }
  const seeds = saved.map((text) => /^ +seed: (\d+)$/m.exec(text)?.[1]);
  expect(seeds).toEqual(["421", "4212", "42123"]);

  const first = versions.last();
  await expect(first).toContainText(/now|sec|min/);
  await workbench.chooseFromRow(first, "Rename");
  await workbench.answer("before the long run");
  const named = page.locator(".timeline-tree-view .monaco-list-row", { hasText: "before the long run" });
  await expect(named).toHaveCount(1);

  await workbench.chooseFromRow(versions.first(), "Compare with Previous");
  await expect(page.locator(".monaco-diff-editor").first()).toBeVisible();

  await workbench.chooseFromRow(named, "Restore Contents");
  await page.getByRole("dialog").getByRole("button", { name: "Restore" }).click();
  await expect.poll(written).toBe(saved[0]);
});
