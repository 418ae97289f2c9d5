// Runs one layer of the tests: node scripts/test.mjs unit|host|workbench [--report=FILE] [ARG…]
// With --report, a JUnit file is written too. Further arguments go to the runner.

import { spawnSync } from "node:child_process";
import path from "node:path";
import process from "node:process";

const [layer, ...rest] = process.argv.slice(2);
const report = rest.find((argument) => argument.startsWith("--report="))?.slice("--report=".length);
const args = rest.filter((argument) => !argument.startsWith("--report="));

const RUNNERS = {
  unit: [
    "vitest",
    "run",
    ...(report ? ["--reporter=default", "--reporter=junit", `--outputFile.junit=${report}`] : []),
  ],
  host: ["playwright", "test", "-c", "test/workbench", "host.spec.ts"],
  workbench: ["playwright", "test", "-c", "test/workbench", "--grep-invert", "in the extension host"],
};
const env = { ...process.env, ...(report && { PLAYWRIGHT_JUNIT_OUTPUT_FILE: path.resolve(report) }) };
if (report && layer !== "unit") RUNNERS[layer].push("--reporter=list,junit");
const [runner, ...fixed] = RUNNERS[layer];
const { status } = spawnSync("npx", ["--no-install", runner, ...fixed, ...args], { stdio: "inherit", env });
process.exitCode = status ?? 1;
