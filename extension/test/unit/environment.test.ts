import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { ManagedEnvironments } from "../../src/server/environment";
import { pythonIn } from "../../src/server/installPlan";
import { type Command, type Runner } from "../../src/server/processes";

let root: string;
let payload: string;
let commands: Command[];

/** Stands at the border to other programs: does on the disk what `python -m venv` would, and answers as Python would. */
function runner(whenInstalling: () => unknown = () => {}): Runner {
  return async (command) => {
    commands.push(command);
    const [, module, target] = command.args;
    if (module === "venv" && target) {
      mkdirSync(path.dirname(pythonIn(target)), { recursive: true });
      writeFileSync(pythonIn(target), "");
      chmodSync(pythonIn(target), 0o755);
    }
    if (module === "pip") await whenInstalling();
    return "3.12.4\n";
  };
}

function environments(run: Runner = runner()): ManagedEnvironments {
  const which = (name: string) => Promise.resolve(name === "python3" ? "/usr/bin/python3" : undefined);
  return new ManagedEnvironments(path.join(root, "environments"), payload, which, run);
}

const progress = () => ({ signal: new AbortController().signal, onStep: () => {}, onOutput: () => {} });
const folders = () => readdirSync(path.join(root, "environments")).sort();

beforeEach(() => {
  root = mkdtempSync(path.join(os.tmpdir(), "environments-"));
  payload = path.join(root, "payload");
  mkdirSync(payload);
  writeFileSync(path.join(payload, "peft_workbench-1-py3-none-any.whl"), "wheel");
  writeFileSync(path.join(payload, "constraints.txt"), "pydantic==2");
  commands = [];
});

afterEach(() => rmSync(root, { recursive: true }));

describe("ManagedEnvironments", () => {
  it("finds nothing until one was made", async () => {
    expect(await environments().find()).toBeUndefined();
    const python = await environments().install(false, progress());
    expect(await environments().find()).toBe(python);
  });

  it("builds aside, so that a half-made environment is never found", async () => {
    let seen: string | undefined = "not asked";
    const managed = environments(
      runner(async () => {
        seen = await environments().find();
      }),
    );
    const python = await managed.install(false, progress());
    expect(seen).toBeUndefined();
    expect(folders()).toEqual([path.basename(path.dirname(path.dirname(python)))]);
  });

  it("leaves nothing behind when a step fails", async () => {
    const failing = runner(() => {
      throw new Error("no network");
    });
    await expect(environments(failing).install(false, progress())).rejects.toThrow("no network");
    expect(folders()).toEqual([]);
  });

  it("prefers the environment that can train", async () => {
    await environments().install(false, progress());
    const full = await environments().install(true, progress());
    expect(await environments().find()).toBe(full);
    expect(environments().isFull(full)).toBe(true);
  });

  it("needs a new environment when the wheel or a constraint changes", async () => {
    await environments().install(false, progress());
    writeFileSync(path.join(payload, "constraints.txt"), "pydantic==3");
    expect(await environments().find()).toBeUndefined();
  });

  it("calls an environment damaged when its Python does not start, or is another version", async () => {
    const python = await environments().install(false, progress());
    expect(await environments().isHealthy(python)).toBe(true);
    expect(await environments(() => Promise.reject(new Error("not found"))).isHealthy(python)).toBe(false);
    expect(await environments(() => Promise.resolve("3.13.0\n")).isHealthy(python)).toBe(false);
  });

  it("replaces a damaged environment in its place", async () => {
    const python = await environments().install(false, progress());
    const rubbish = path.join(path.dirname(python), "rubbish");
    writeFileSync(rubbish, "");
    expect(await environments().install(false, progress())).toBe(python);
    expect(existsSync(rubbish)).toBe(false);
    expect(folders()).toHaveLength(1);
  });

  it("removes what a killed window left half-made, but not what another is making", async () => {
    const dead = path.join(root, "environments", "abc.building-999999999-x");
    const living = path.join(root, "environments", `abc.building-${process.ppid}-x`);
    for (const folder of [dead, living]) mkdirSync(folder, { recursive: true });
    await environments().install(false, progress());
    expect([existsSync(dead), existsSync(living)]).toEqual([false, true]);
  });

  it("never works in the current folder, which may be a workspace that is not trusted", async () => {
    const places = new Set<string>();
    const noting: Runner = (command, options) => {
      places.add(options.cwd);
      return runner()(command, options);
    };
    await environments(noting).install(false, progress());
    expect([...places]).toEqual([path.join(root, "environments")]);
  });
});
