/**
 * The tests' entry: Playwright's `test` with a running editor. See README.md.
 *
 * One server and one browser serve all the tests that share their `editorOptions`; each test has a page, and so a
 * window and an extension host, of its own.
 */
import fs from "node:fs";
import path from "node:path";

import { test as base, type TestInfo } from "@playwright/test";

import { type EditorOptions, EditorServer } from "./server";
import { Workbench } from "./workbench";

export { expect } from "@playwright/test";
export { type InHostOptions, type InHostResult, runInHost } from "./inhost";
export { descendants, isRunning, kill, type ProcessInfo } from "./processes";
export { type EditorOptions, EditorServer } from "./server";
export { until } from "./until";
export { type ConsoleLine, type Problem, Workbench } from "./workbench";

interface TestFixtures {
  workbench: Workbench;
}

interface WorkerFixtures {
  /** What to start: set it with `test.use({ editorOptions: … })` at the top of a file. */
  editorOptions: EditorOptions;
  editor: EditorServer;
}

const START_MS = 400_000;

export const test = base.extend<TestFixtures, WorkerFixtures>({
  editorOptions: [{}, { option: true, scope: "worker" }],

  editor: [
    async ({ editorOptions }, use) => {
      const editor = await EditorServer.start(editorOptions);
      await use(editor);
      await editor.stop();
    },
    { scope: "worker", timeout: START_MS },
  ],

  workbench: async ({ page, editor }, use, testInfo) => {
    const workbench = new Workbench(page, editor.url);
    await use(workbench);
    if (testInfo.status !== testInfo.expectedStatus) keepEvidence(workbench, editor, testInfo);
    // The next test must not meet this one's extension host, nor what that has started.
    await page.goto("about:blank");
    await editor.endExtensionHosts();
  },
});

/** The server's folder goes when it stops, so what explains a failure is copied before. */
function keepEvidence(workbench: Workbench, editor: EditorServer, testInfo: TestInfo): void {
  const written = workbench.console.map((line) => `${line.type}: ${line.text}`).join("\n");
  fs.mkdirSync(testInfo.outputDir, { recursive: true });
  fs.writeFileSync(testInfo.outputPath("console.log"), written);
  for (const file of editor.logFiles()) {
    const copy = testInfo.outputPath("logs", path.relative(editor.folder, file));
    fs.mkdirSync(path.dirname(copy), { recursive: true });
    fs.copyFileSync(file, copy);
  }
}
