/** The managed environment for real: made by pip from a wheelhouse, without an index, then damaged and repaired. */
import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { ManagedEnvironments } from "../../src/server/environment";
import { run } from "../../src/server/processes";

const ROOT = path.resolve(import.meta.dirname, "../../..");
const PYTHON = path.join(ROOT, ".venv/bin/python");
const MINUTES = 60_000;

const folder = mkdtempSync(path.join(os.tmpdir(), "managed-"));
const payload = path.join(folder, "payload");
const wheelhouse = path.join(folder, "wheelhouse");
const which = (name: string) => Promise.resolve(name === "python3" ? PYTHON : undefined);
const managed = new ManagedEnvironments(path.join(folder, "environments"), payload, which, run);
const output: string[] = [];
const steps: string[] = [];
const progress = {
  signal: new AbortController().signal,
  onStep: (title: string) => void steps.push(title),
  onOutput: (text: string) => void output.push(text),
};

describe.skipIf(!existsSync(PYTHON))("a managed environment on disk (needs .venv: make setup)", () => {
  beforeAll(() => {
    for (const made of [payload, wheelhouse]) mkdirSync(made);
    execFileSync(PYTHON, [path.join(import.meta.dirname, "wheelhouse.py"), wheelhouse]);
    execFileSync(PYTHON, ["-m", "build", "--no-isolation", "--wheel", "--outdir", payload, ROOT], { stdio: "ignore" });
    copyFileSync(path.join(ROOT, "constraints.txt"), path.join(payload, "constraints.txt"));
    Object.assign(process.env, { PIP_NO_INDEX: "1", PIP_FIND_LINKS: wheelhouse });
  }, 2 * MINUTES);

  afterAll(() => rmSync(folder, { recursive: true, force: true }), 2 * MINUTES);

  it(
    "is made from the wheel, starts the daemon, and is repaired after damage",
    async () => {
      const python = await managed.install(false, progress);
      expect(steps).toEqual([
        "Making a Python environment",
        "Installing the language server",
        "Checking the environment",
      ]);
      expect(await managed.find()).toBe(python);
      expect(await managed.isHealthy(python)).toBe(true);
      const help = await run({ program: python, args: ["-m", "peft_daemon", "--version"] }, { cwd: folder });
      expect(help).toMatch(/\d+\.\d+\.\d+/);

      const site = await run(
        {
          program: python,
          args: ["-c", "import tree_sitter_yaml as grammar, pathlib; print(pathlib.Path(grammar.__file__).parent)"],
        },
        { cwd: folder },
      );
      rmSync(site.trim(), { recursive: true });
      expect(await managed.isHealthy(python)).toBe(false);

      expect(await managed.install(false, progress)).toBe(python);
      expect(await managed.isHealthy(python)).toBe(true);
    },
    10 * MINUTES,
  );

  it(
    "stops at once when it is cancelled, and leaves nothing",
    async () => {
      const abort = new AbortController();
      const onStep = (title: string) => {
        if (title.startsWith("Installing")) abort.abort();
      };
      const other = path.join(folder, "cancelled");
      const cancelled = new ManagedEnvironments(other, payload, which, run);
      await expect(cancelled.install(false, { ...progress, signal: abort.signal, onStep })).rejects.toThrow();
      expect(await cancelled.find()).toBeUndefined();
      expect(execFileSync("ls", ["-A", other], { encoding: "utf8" })).toBe("");
    },
    2 * MINUTES,
  );
});
