import fs from "node:fs";
import path from "node:path";

import { expect, test } from "@playwright/test";

import { runInHost } from "./harness";
import { altered, CONFIG, editorOptions } from "./product";

const EXTENSION = path.resolve(__dirname, "../..");

test("in the extension host", async ({ browser }, testInfo) => {
  test.setTimeout(10 * 60_000);
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
  const testsPath = path.join(EXTENSION, "dist/test/host.js");
  const result = await runInHost(browser, { machineSettings, extensionPath: EXTENSION, testsPath, folder });
  for (const title of result.passed) console.log(`  ✓ ${title}`);
  expect(result.failed).toEqual([]);
  expect(result.pending).toEqual([]);
});
