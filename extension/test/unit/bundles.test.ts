/** What is shipped stays small. */
import { gzipSync } from "node:zlib";

import { beforeAll, describe, expect, it } from "vitest";

import { PRODUCT } from "../../scripts/build.mjs";

const KILOBYTE = 1024;
const LIMITS: Record<string, number> = {
  "extension.js": 250 * KILOBYTE,
  "run.js": 120 * KILOBYTE,
  "chat.js": 120 * KILOBYTE,
};

describe("the bundles, minified and compressed", () => {
  const sizes: Record<string, number> = {};
  const inputs: string[] = [];

  beforeAll(async () => {
    const esbuild = await import("esbuild");
    for (const bundle of PRODUCT) {
      const { outputFiles, metafile } = await esbuild.build({ ...bundle, write: false });
      inputs.push(...Object.keys(metafile?.inputs ?? []));
      for (const { path, contents } of outputFiles) sizes[path.split("/").at(-1) ?? ""] = gzipSync(contents).length;
    }
  });

  it.each(Object.entries(LIMITS))("%s is at most %i bytes", (name, limit) => {
    expect(sizes[name]).toBeGreaterThan(KILOBYTE);
    expect(sizes[name]).toBeLessThanOrEqual(limit);
  });

  it("hold nothing that only building and testing need", () => {
    expect(inputs.filter((file) => /node_modules\/(typescript|esbuild|vitest|mocha|playwright)/.test(file))).toEqual(
      [],
    );
  });
});
