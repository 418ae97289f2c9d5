import { existsSync } from "node:fs";
import path from "node:path";
import process from "node:process";

import { defineConfig } from "@playwright/test";

const CHROMIUM_NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/** Takes the system's browser, so that nothing is downloaded. */
function findChromium(): string | undefined {
  const folders = (process.env.PATH ?? "").split(path.delimiter);
  const candidates = CHROMIUM_NAMES.flatMap((name) => folders.map((folder) => path.join(folder, name)));
  return process.env.PEFTW_CHROMIUM ?? candidates.find((file) => existsSync(file));
}

const executablePath = findChromium();
if (!executablePath)
  throw new Error("no Chromium on the PATH: run tools/install-system.sh, or name one in PEFTW_CHROMIUM");

export default defineConfig({
  testMatch: "*.spec.ts",
  outputDir: process.env.PEFTW_WORKBENCH_RESULTS ?? "../../test-results/workbench",
  // One server and one browser are as much as a small machine carries.
  workers: 1,
  forbidOnly: Boolean(process.env.CI),
  reporter: [["list"]],
  // A workbench opens in 5 s on an idle machine and in 50 s on a loaded one.
  timeout: 180_000,
  // A real editor on a loaded machine now and then drops a key. A test that passed only the second time is reported as
  // flaky by name, and one that fails twice fails.
  retries: 1,
  expect: { timeout: 60_000 },
  use: {
    // Without it an act on something that has gone waits until the test is out of time.
    actionTimeout: 60_000,
    headless: true,
    viewport: { width: 1400, height: 900 },
    screenshot: "only-on-failure",
    launchOptions: {
      executablePath,
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        // Only this machine can be reached: a test must not depend on anything else.
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
      ],
    },
  },
});
