import fs from "node:fs";
import path from "node:path";

import { type Browser, expect, test, type TestInfo } from "@playwright/test";

import { runInHost } from "./harness";
import { altered, CONFIG, editorOptions } from "./product";

const EXTENSION = path.resolve(__dirname, "../..");

/** Runs a bundle of dist/test in a workspace of its own. */
async function runBundle(browser: Browser, testInfo: TestInfo, bundle: string, trust?: "restricted"): Promise<void> {
  const files = {
    "good.peft.yaml": CONFIG,
    "faulty.peft.yaml": altered(["learning_rate", "learnin_rate"]),
    "other.yaml": "a: 1\n",
    "notes.md": "# Notes\n",
    "data/train.jsonl": '{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}\n',
  };
  const folder = testInfo.outputPath("folder");
  for (const [name, text] of Object.entries(files)) {
    fs.mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    fs.writeFileSync(path.join(folder, name), text);
  }
  const { machineSettings } = editorOptions;
  const testsPath = path.join(EXTENSION, `dist/test/${bundle}.js`);
  const result = await runInHost(browser, { machineSettings, extensionPath: EXTENSION, testsPath, folder, trust });
  for (const title of result.passed) console.log(`  ✓ ${title}`);
  expect(result.failed).toEqual([]);
  expect(result.pending).toEqual([]);
}

test("in the extension host", async ({ browser }, testInfo) => {
  test.setTimeout(10 * 60_000);
  await runBundle(browser, testInfo, "host");
});

test("in the extension host of a workspace that is not trusted", async ({ browser }, testInfo) => {
  test.setTimeout(10 * 60_000);
  await runBundle(browser, testInfo, "restricted", "restricted");
});
