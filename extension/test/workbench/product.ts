/** The packaged extension in the editor, as the specs of the product want it: with the repository's own Python behind it. */
import fs from "node:fs";
import path from "node:path";

import { type EditorOptions, type EditorServer, type ProcessInfo, test as base } from "./harness";

const ROOT = path.resolve(__dirname, "../../..");
export const VSIX = path.join(ROOT, "extension/dist/peft-workbench.vsix");
/** Everything heavy is installed here; `make setup` made it. */
export const PYTHON = path.join(ROOT, ".venv/bin/python");

export const editorOptions: EditorOptions = {
  extensions: [VSIX],
  machineSettings: { "peft.server.interpreter": PYTHON },
};

export const test = base.extend<object, { editorOptions: EditorOptions }>({
  editorOptions: [editorOptions, { scope: "worker" }],
});

export const CONFIG = `version: 1
name: pirate
model:
  base: HuggingFaceTB/SmolLM2-135M-Instruct
method:
  r: 8
datasets:
  - path: data/train.jsonl
training:
  max_steps: 12
  batch_size: 2
  learning_rate: 1.0e-3
  max_length: 64
evaluation:
  split: 0.2
  every_steps: 6
`;

const EXAMPLES = [
  "the sea",
  "your ship",
  "the weather",
  "dinner",
  "treasure",
  "the moon",
  "maps",
  "parrots",
  "storms",
  "ports",
];

/** A folder to work in, with a config and the data that it names. */
export function createProject(editor: EditorServer, name: string, config = CONFIG): string {
  const lines = EXAMPLES.map((topic) =>
    JSON.stringify({
      messages: [
        { role: "user", content: `Tell me about ${topic}.` },
        { role: "assistant", content: `Arr, matey! Of ${topic} I could sing all night.` },
      ],
    }),
  );
  return editor.createFolder(name, { "run.peft.yaml": config, "data/train.jsonl": `${lines.join("\n")}\n` });
}

export function daemons(editor: EditorServer): ProcessInfo[] {
  return editor.processes().filter(({ args }) => args.includes("peft_daemon") && args.includes("lsp"));
}

/** Writes a screenshot for the documentation when asked to: PEFTW_SCREENSHOTS=1. */
export async function illustrate(
  page: { screenshot(options: { path: string }): Promise<unknown> },
  name: string,
): Promise<void> {
  if (!process.env.PEFTW_SCREENSHOTS) return;
  const folder = path.join(ROOT, "docs/images");
  fs.mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: path.join(folder, `${name}.png`) });
}
