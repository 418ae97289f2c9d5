import fs from "node:fs";
import path from "node:path";

import { expect } from "./harness";
import { altered, CONFIG, createProject, FILE, illustrate, positionOf, test } from "./product";

const AXOLOTL = `# From elsewhere.
base_model: HuggingFaceTB/SmolLM2-135M-Instruct
adapter: lora
lora_r: 8 # small
lora_alpha: 16
datasets:
  - path: data/train.jsonl
    type: chat_template
micro_batch_size: 2
gradient_accumulation_steps: 4
learning_rate: 1e-4
flux_capacitor: true
`;

test("lenses and hints say what a run comes to, and follow an edit", async ({ workbench, editor }) => {
  await workbench.open(createProject(editor, "figures"));
  await workbench.openFile(FILE);
  const lens = workbench.editor().locator(".codelens-decoration").first();
  await expect(lens).toContainText("Run");
  await expect(lens).toContainText("Dry run");
  await expect(lens).toContainText("Compare");
  await expect(lens).toContainText("10 steps");
  await expect(lens).toContainText("batch 4");
  // The figure of the real base, which is looked at in the background.
  await expect(lens).toContainText("4.88 M trainable parameters");
  await illustrate(workbench.page, "figures");

  const { line, column } = positionOf("batch_size: 4", CONFIG);
  await workbench.goTo(line, column + "batch_size: ".length);
  await workbench.page.keyboard.press("Delete");
  await workbench.type("8");
  await expect(lens).toContainText("batch 8");
});

test("a key is offered, explained and inserted where it belongs", async ({ workbench, editor }) => {
  await workbench.open(createProject(editor, "offered"));
  await workbench.openFile(FILE);
  const { line } = positionOf("seed: 42", CONFIG);
  await workbench.goTo(line, "  seed: 42".length + 1);
  await workbench.page.keyboard.press("Enter");
  await workbench.type("gradient_acc");
  const offered = workbench.page.locator(".suggest-widget .monaco-list-row", {
    hasText: "gradient_accumulation_steps",
  });
  // An Enter takes what is marked.
  await expect(offered.first()).toHaveClass(/focused/);
  await workbench.page.keyboard.press("Enter");
  await expect
    .poll(() => workbench.visibleText())
    .toContainEqual(expect.stringMatching(/^ {2}gradient_accumulation_steps: 1/));
});

test("all that can be repaired is repaired at once, and the rest is left", async ({ workbench, editor }) => {
  const faulty = altered(
    ["learning_rate", "learnin_rate"],
    ["batch_size: 4", "micro_batch_size: 4"],
    ["r: 16", "r: 0"],
  );
  await workbench.open(createProject(editor, "all", faulty));
  await workbench.openFile(FILE);
  await expect(workbench.squiggles("error")).toHaveCount(3);
  await workbench.runCommand("PEFT: Fix All Problems in This File");
  await expect(workbench.squiggles("error")).toHaveCount(0);
  const text = (await workbench.visibleText()).join("\n");
  expect(text).toContain("  learning_rate: 3.0e-3");
  expect(text).toContain("  batch_size: 4");
});

test("a config of another tool is shown beside what it becomes, and nothing is written", async ({
  workbench,
  editor,
}) => {
  const folder = createProject(editor, "import");
  const source = path.join(folder, "axolotl.yaml");
  fs.writeFileSync(source, AXOLOTL);
  await workbench.open(folder);
  await workbench.openFile(FILE);
  await workbench.runCommand("PEFT: Import a Config from Another Tool");
  await workbench.pick("Axolotl");
  // By its row and not by its path: the dialog writes its folder into the box once it has read it.
  await workbench.pick(path.basename(source));
  const becomes = workbench.page.locator(".diff-editor .editor.modified, .editor.modified").first();
  await expect(becomes).toContainText("HuggingFaceTB/SmolLM2-135M-Instruct");
  await illustrate(workbench.page, "import");
  await expect
    .poll(() => workbench.problems())
    .toContainEqual(
      expect.objectContaining({
        file: "axolotl.yaml",
        message: expect.stringContaining("flux_capacitor"),
      }),
    );
  expect(fs.readdirSync(folder).sort()).toEqual(["axolotl.yaml", "data", FILE]);

  fs.writeFileSync(path.join(folder, "binary.yaml"), Buffer.from([0, 1, 255, 10, 0, 9]));
  await workbench.runCommand("PEFT: Import a Config from Another Tool");
  await workbench.pick("Axolotl");
  await workbench.pick("binary.yaml");
  await expect(workbench.notification("binary.yaml was not imported")).toBeVisible();
  expect((await workbench.problems()).filter(({ file }) => file === "binary.yaml")).toEqual([]);
});

test("what becomes of another tool's config is saved beside it, and is a config without errors", async ({
  workbench,
  editor,
}) => {
  const folder = createProject(editor, "imported");
  const source = path.join(folder, "axolotl.yaml");
  fs.writeFileSync(source, AXOLOTL);
  await workbench.open(folder);
  await workbench.runCommand("PEFT: Import a Config from Another Tool");
  await workbench.pick("Axolotl");
  await workbench.pick(path.basename(source));
  const becomes = workbench.page.locator(".editor.modified").first();
  await expect(becomes).toContainText("HuggingFaceTB/SmolLM2-135M-Instruct");
  await becomes.click();
  await workbench.save();
  const saved = path.join(folder, "axolotl.peft.yaml");
  // The editor makes the file empty and fills it afterwards.
  await expect.poll(() => fs.existsSync(saved) && fs.readFileSync(saved, "utf8")).toContain("# From elsewhere.");
  const text = fs.readFileSync(saved, "utf8");
  for (const part of ["# From elsewhere.", "r: 8", "# small", "batch_size: 2", "gradient_accumulation_steps: 4"])
    expect(text).toContain(part);
  expect(fs.readFileSync(source, "utf8")).toBe(AXOLOTL);

  await workbench.runCommand("View: Close All Editors");
  await workbench.openFile(path.basename(saved));
  await expect(workbench.editor().locator(".codelens-decoration").first()).toContainText("trainable parameters");
  expect((await workbench.problems()).filter(({ severity }) => severity === "error")).toEqual([]);
});

test("a config is shown beside what it is for another tool, and what cannot be said there is marked", async ({
  workbench,
  editor,
}) => {
  const watched = `${CONFIG}\nwatch:\n  memory_limit: 0.5\n`;
  const folder = createProject(editor, "export", watched);
  await workbench.open(folder);
  await workbench.openFile(FILE);
  await expect(workbench.editor().locator(".codelens-decoration").first()).toContainText("Run");
  await workbench.runCommand("PEFT: Export Config to Another Tool");
  await workbench.pick("Axolotl");
  await expect(workbench.page.locator(".editor.modified").first()).toContainText("micro_batch_size: 4");
  const remark = expect.objectContaining({
    ...positionOf("memory_limit", watched),
    source: "peftw export axolotl",
    message: expect.stringContaining("memory_limit"),
  });
  await expect.poll(() => workbench.problems()).toContainEqual(remark);
  expect(fs.readdirSync(folder).sort()).toEqual(["data", FILE]);

  await workbench.runCommand("View: Revert and Close Editor");
  await expect.poll(() => workbench.problems()).not.toContainEqual(remark);
});
