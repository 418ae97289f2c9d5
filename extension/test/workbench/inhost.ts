/** Runs Mocha inside the extension host, with the whole `vscode` API, without packaging the extension. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { format } from "node:util";

import type { Browser } from "@playwright/test";

import { type EditorOptions, EditorServer } from "./server";
import { until } from "./until";

export interface InHostOptions extends EditorOptions {
  /** The extension's folder, the one that holds its package.json; it runs from there, so build it first. */
  readonly extensionPath: string;
  /**
   * A CommonJS file that exports `run(): Promise<void>`, which rejects when a test fails, and has Mocha's `json`
   * reporter write to the file that the environment variable `WORKBENCH_TEST_REPORT` names.
   */
  readonly testsPath: string;
  /** The folder to open. */
  readonly folder: string;
  readonly timeoutMs?: number;
}

export interface InHostResult {
  /** Full titles. */
  readonly passed: readonly string[];
  readonly pending: readonly string[];
  readonly failed: readonly { readonly title: string; readonly error: string }[];
  /** What was written to the console: by the tests, and a great deal by the workbench itself. */
  readonly output: readonly string[];
}

/** The part of the json reporter's file that is read here. */
interface MochaReport {
  readonly passes: readonly MochaTest[];
  readonly pending: readonly MochaTest[];
  readonly failures: readonly MochaTest[];
}

interface MochaTest {
  readonly fullTitle: string;
  readonly err: { readonly message?: string; readonly stack?: string };
}

const RUN_MS = 300_000;
const TAIL_LINES = 60;

/** What the workbench tells about itself on any day. */
const NOISE = /^\[(AgentHost|RemoteAgentHost|lifecycle)|^Ignoring fetching|workbench\.js:\d+:\d+|^Canceled/;

/**
 * Starts a server of its own, runs the bundle in its extension host and ends both. A test that fails is in the result.
 *
 * @throws when the bundle did not come to an end in time, or when it ended without a report that explains how: it could
 * not be loaded, for one, or held no test.
 */
export async function runInHost(browser: Browser, options: InHostOptions): Promise<InHostResult> {
  const reports = fs.mkdtempSync(path.join(os.tmpdir(), "wb-report-"));
  const reportFile = path.join(reports, "report.json");
  const output: string[] = [];
  try {
    const env = { ...options.env, WORKBENCH_TEST_REPORT: reportFile };
    const server = await EditorServer.start({ ...options, env, smokeTestDriver: true });
    try {
      const exitCode = await runPayload(browser, server.url, options, output);
      return readReport(reportFile, exitCode, output);
    } finally {
      await server.stop();
    }
  } catch (error) {
    const lines = output.join("\n").split("\n");
    const tail = lines
      .filter((line) => !NOISE.test(line.trim()))
      .slice(-TAIL_LINES)
      .join("\n");
    throw new Error(`${String(error)}\nThe console's end:\n${tail}`, { cause: error });
  } finally {
    fs.rmSync(reports, { recursive: true, force: true });
  }
}

/** Opens the window that runs the bundle, and returns the exit code. */
async function runPayload(browser: Browser, url: string, options: InHostOptions, output: string[]): Promise<number> {
  const page = await browser.newPage();
  try {
    let exitCode: number | undefined;
    // The workbench calls these two, where they exist, in place of the desktop's console and exit code.
    await page.exposeFunction("codeAutomationLog", (_type: string, args: unknown[]) => {
      // What comes after the end is only the window being torn down.
      if (exitCode === undefined) output.push(format(...args));
    });
    await page.exposeFunction("codeAutomationExit", (code: number) => {
      exitCode = code;
    });

    const remote = (file: string): string => `vscode-remote://${new URL(url).host}${path.resolve(file)}`;
    const payload = [
      ["extensionDevelopmentPath", remote(options.extensionPath)],
      ["extensionTestsPath", remote(options.testsPath)],
    ];
    const query = new URLSearchParams({ folder: options.folder, payload: JSON.stringify(payload) });
    await page.goto(`${url}/?${query}`);
    return await until("the tests in the extension host to end", options.timeoutMs ?? RUN_MS, () => exitCode);
  } finally {
    await page.close();
  }
}

function readReport(file: string, exitCode: number, output: readonly string[]): InHostResult {
  if (!fs.existsSync(file)) throw new Error(`the tests ended with exit code ${exitCode} and without a report`);
  const report = JSON.parse(fs.readFileSync(file, "utf8")) as MochaReport;
  const result = {
    passed: report.passes.map((test) => test.fullTitle),
    pending: report.pending.map((test) => test.fullTitle),
    failed: report.failures.map((test) => ({ title: test.fullTitle, error: test.err.stack ?? test.err.message ?? "" })),
    output,
  };
  if (result.passed.length + result.failed.length === 0) throw new Error("the bundle ran no test");
  if (exitCode !== 0 && result.failed.length === 0) {
    throw new Error(`no test failed, yet run() rejected (exit code ${exitCode})`);
  }
  return result;
}
