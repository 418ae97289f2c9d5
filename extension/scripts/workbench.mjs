// Opens the packed extension in the real editor, on a copy of the sample workspace, until Ctrl+C.

import { spawnSync } from "node:child_process";
import path from "node:path";
import process from "node:process";

import * as esbuild from "esbuild";

const EXTENSION = path.dirname(import.meta.dirname);
const TESTS = path.join(EXTENSION, "test/workbench");
const BUNDLE = path.join(EXTENSION, "dist/test/playground.cjs");

for (const script of [path.join(TESTS, "install.mjs"), path.join(import.meta.dirname, "package.mjs")]) {
  const { status } = spawnSync(process.execPath, [script], { cwd: EXTENSION, stdio: ["inherit", "ignore", "inherit"] });
  if (status !== 0) process.exit(status ?? 1);
}
await esbuild.build({
  entryPoints: [path.join(TESTS, "playground.ts")],
  outfile: BUNDLE,
  bundle: true,
  platform: "node",
  packages: "external",
  // The harness finds its own files beside itself.
  define: { __dirname: JSON.stringify(TESTS) },
});
await import(BUNDLE);
