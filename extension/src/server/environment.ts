/**
 * The extension's own Python environments, one folder each under its global storage.
 *
 * A folder's name tells what is in it: the digest of the wheel and the constraints, and whether the training and serving
 * packages are there too. So an environment in use by another window, or by a run that outlives this one, is never changed.
 */
import { createHash, randomUUID } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";

import { Problem } from "../problem";
import { findInstaller, pythonVersion, type Which } from "./installer";
import { type Extra, installPlan, type Payload, pythonIn } from "./installPlan";
import { isExecutable, type Runner } from "./processes";

const STAMP = "environment.json";
const BUILDING = ".building-";
const FULL = "-full";
const ALL_EXTRAS: readonly Extra[] = ["train", "serve"];
/** Imports what the server needs, so that a package that has lost a file is noticed. */
const CHECK_SCRIPT = "import httpx, peft_daemon, platformdirs, psutil, pydantic, tree_sitter, tree_sitter_yaml, yaml";

interface Stamp {
  readonly digest: string;
  readonly python: string;
  readonly extras: readonly Extra[];
}

export interface InstallProgress {
  readonly signal: AbortSignal;
  readonly onStep: (title: string) => void;
  readonly onOutput: (text: string) => void;
}

/** Reads which wheel and constraints the extension carries. */
async function readPayload(folder: string): Promise<Payload> {
  const wheel = (await readdir(folder).catch(() => [])).find((name) => name.endsWith(".whl"));
  if (!wheel) {
    throw new Problem(
      "This build of the extension carries no language server.",
      "Install the packaged extension, or choose an interpreter that has peft-workbench in it.",
    );
  }
  return { wheel: path.join(folder, wheel), constraints: path.join(folder, "constraints.txt") };
}

export class ManagedEnvironments {
  constructor(
    private readonly root: string,
    private readonly payloadFolder: string,
    private readonly which: Which,
    private readonly run: Runner,
  ) {}

  /** The interpreter of the fullest complete environment for this extension's payload. */
  async find(): Promise<string | undefined> {
    const digest = await digestOf(await readPayload(this.payloadFolder)).catch(() => undefined);
    if (!digest) return undefined;
    for (const extras of [ALL_EXTRAS, []]) {
      const folder = this.folder(digest, extras);
      if (await isComplete(folder, digest)) return pythonIn(folder);
    }
    return undefined;
  }

  owns(python: string): boolean {
    return python.startsWith(this.root + path.sep);
  }

  /** Whether the interpreter is of an environment that can train and serve too. */
  isFull(python: string): boolean {
    return this.owns(python) && this.folderOf(python).endsWith(FULL);
  }

  /** Whether the interpreter starts, is still the version it was made with, and finds what the server needs. */
  async isHealthy(python: string): Promise<boolean> {
    try {
      const stamp = await readStamp(this.folderOf(python));
      await this.run({ program: python, args: ["-c", CHECK_SCRIPT] }, { cwd: this.root });
      return (await pythonVersion(python, this.run, this.root)) === stamp.python;
    } catch {
      return false;
    }
  }

  /**
   * Makes an environment aside and puts it in place once it works; one that is already there is replaced.
   * Nothing is left behind when it fails or is cancelled.
   */
  async install(withExtras: boolean, progress: InstallProgress): Promise<string> {
    const payload = await readPayload(this.payloadFolder);
    const digest = await digestOf(payload);
    const extras = withExtras ? ALL_EXTRAS : [];
    const target = this.folder(digest, extras);
    const building = `${target}${BUILDING}${process.pid}-${randomUUID().slice(0, 8)}`;

    await mkdir(this.root, { recursive: true });
    await this.removeLeftovers();
    try {
      const installer = await findInstaller(this.which, this.run, this.root);
      for (const step of installPlan(installer, payload, extras, building)) {
        progress.onStep(step.title);
        await this.run(step, { cwd: this.root, signal: progress.signal, onOutput: progress.onOutput });
      }
      progress.onStep("Checking the environment");
      const python = pythonIn(building);
      await this.run({ program: python, args: ["-c", CHECK_SCRIPT] }, { cwd: this.root, signal: progress.signal });
      const stamp: Stamp = { digest, python: await pythonVersion(python, this.run, this.root), extras };
      await writeFile(path.join(building, STAMP), JSON.stringify(stamp, null, 2) + "\n");
      await putInPlace(building, target);
    } catch (error) {
      await rm(building, { recursive: true, force: true });
      throw error;
    }
    return pythonIn(target);
  }

  private folder(digest: string, extras: readonly Extra[]): string {
    return path.join(this.root, extras.length > 0 ? digest + FULL : digest);
  }

  private folderOf(python: string): string {
    return path.join(this.root, path.relative(this.root, python).split(path.sep)[0] ?? "");
  }

  /** Deletes what an install left behind whose window was killed. */
  private async removeLeftovers(): Promise<void> {
    for (const name of await readdir(this.root)) {
      const pid = Number(name.split(BUILDING)[1]?.split("-")[0]);
      if (pid && !isAlive(pid)) await rm(path.join(this.root, name), { recursive: true, force: true });
    }
  }
}

async function digestOf(payload: Payload): Promise<string> {
  const hash = createHash("sha256");
  for (const file of [payload.wheel, payload.constraints]) hash.update(await readFile(file));
  return hash.digest("hex").slice(0, 16);
}

async function readStamp(folder: string): Promise<Stamp> {
  return JSON.parse(await readFile(path.join(folder, STAMP), "utf8")) as Stamp;
}

async function isComplete(folder: string, digest: string): Promise<boolean> {
  try {
    const stamp = await readStamp(folder);
    return stamp.digest === digest && (await isExecutable(pythonIn(folder)));
  } catch {
    return false;
  }
}

async function putInPlace(building: string, target: string): Promise<void> {
  const replaced = `${target}${BUILDING}${process.pid}-${randomUUID().slice(0, 8)}`;
  const existed = await rename(target, replaced).then(
    () => true,
    () => false,
  );
  await rename(building, target);
  if (existed) await rm(replaced, { recursive: true, force: true });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
