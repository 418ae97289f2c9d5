// Packs the extension: the wheel of the Python side with its pinned constraints, the bundles, the notices, the .vsix.

import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, rmSync } from "node:fs";
import path from "node:path";
import process from "node:process";

import { build } from "./build.mjs";
import { writeNotices } from "./notices.mjs";

const EXTENSION = path.dirname(import.meta.dirname);
const ROOT = path.dirname(EXTENSION);
const SERVER = path.join(EXTENSION, "dist/server");
const VSIX = path.join(EXTENSION, "dist/peft-workbench.vsix");

function run(program, args, folder) {
  const { status, error } = spawnSync(program, args, { cwd: folder, stdio: ["ignore", "ignore", "inherit"] });
  if (error) throw error;
  if (status !== 0) throw new Error(`${path.basename(program)} ${args.join(" ")} ended with ${status}`);
}

function succeeds(program, args) {
  return spawnSync(program, args, { stdio: "ignore" }).status === 0;
}

/** The project's own environment has all it takes; any other Python fetches the build backend first. */
function buildWheel() {
  const own = path.join(ROOT, ".venv/bin/python");
  const python = existsSync(own) ? own : "python3";
  const common = ["--outdir", SERVER, "--wheel", ROOT];
  if (succeeds(python, ["-c", "import build, hatchling"]))
    run(python, ["-m", "build", "--no-isolation", ...common], ROOT);
  else run(python, ["-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", SERVER, ROOT], ROOT);
}

rmSync(path.join(EXTENSION, "dist"), { recursive: true, force: true });
mkdirSync(SERVER, { recursive: true });
buildWheel();
copyFileSync(path.join(ROOT, "constraints.txt"), path.join(SERVER, "constraints.txt"));
for (const name of ["LICENSE", "NOTICE"]) copyFileSync(path.join(ROOT, name), path.join(EXTENSION, name));
writeNotices(await build(), path.join(EXTENSION, "dist/THIRD_PARTY_NOTICES.txt"));
run(
  process.execPath,
  [
    path.join(EXTENSION, "node_modules/@vscode/vsce/vsce"),
    ...["package", "--no-dependencies", "--allow-missing-repository", "--out", VSIX],
  ],
  EXTENSION,
);
console.log(path.relative(process.cwd(), VSIX));
