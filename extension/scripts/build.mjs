// Bundles the extension host's code, the webviews and the in-host tests into dist/.

import process from "node:process";

import * as esbuild from "esbuild";

const shared = {
  bundle: true,
  minify: true,
  metafile: true,
  legalComments: "none",
  logLevel: "warning",
};
const host = {
  ...shared,
  platform: "node",
  target: "node20",
  format: "cjs",
  external: ["vscode"],
};

/**
 * What is shipped.
 *
 * @type {import("esbuild").BuildOptions[]}
 */
export const PRODUCT = [
  { ...host, entryPoints: { extension: "src/extension.ts" }, outdir: "dist" },
  {
    ...shared,
    platform: "browser",
    target: "chrome130",
    format: "iife",
    entryPoints: { run: "webview/run/main.ts", chat: "webview/chat/main.ts" },
    outdir: "dist/webview",
  },
];
const HOST_TESTS = {
  ...host,
  minify: false,
  external: ["vscode", "mocha"],
  entryPoints: { host: "test/host/index.ts", restricted: "test/host/restricted.ts" },
  outdir: "dist/test",
};

/** Builds all, and returns what esbuild says of the parts that are shipped. */
export async function build() {
  const [, ...results] = await Promise.all([HOST_TESTS, ...PRODUCT].map((bundle) => esbuild.build(bundle)));
  return results;
}

if (import.meta.filename === process.argv[1]) {
  if (process.argv.includes("--watch")) {
    for (const bundle of [...PRODUCT, HOST_TESTS]) {
      await (await esbuild.context({ ...bundle, minify: false, sourcemap: "inline" })).watch();
    }
  } else {
    await build();
  }
}
