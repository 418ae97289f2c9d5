/** What the packed extension holds, and how large it is. */
import fs from "node:fs";

import { expect, test } from "@playwright/test";
import { unzipSync } from "fflate";

import { VSIX } from "./product";

test("the vsix holds what it needs and nothing else", () => {
  const files = Object.keys(unzipSync(fs.readFileSync(VSIX)))
    .filter((name) => name.startsWith("extension/"))
    .map((name) => name.slice("extension/".length).replace(/-\d.*\.whl$/, "-*.whl"))
    .sort();
  expect(files).toEqual(
    [
      ...["LICENSE.txt", "NOTICE", "package.json", "readme.md", "language-configuration.json"],
      ...["dist/extension.js", "dist/THIRD_PARTY_NOTICES.txt"],
      ...["chat", "run"].flatMap((page) => [`dist/webview/${page}.css`, `dist/webview/${page}.js`]),
      ...["dist/server/constraints.txt", "dist/server/peft_workbench-*.whl"],
      ...["media/activity.svg", "media/file-dark.svg", "media/file-light.svg", "media/icon.png"],
      "syntaxes/peft-yaml.tmLanguage.json",
    ].sort(),
  );
});

test("the notice names every package whose code is in the vsix", () => {
  const files = unzipSync(fs.readFileSync(VSIX));
  const text = (name: string) => Buffer.from(files[`extension/${name}`] ?? []).toString("utf8");
  const shipped = [...text("dist/THIRD_PARTY_NOTICES.txt").matchAll(/^(\S+) \d\S* \(.+\)$/gm)].map((match) => match[1]);
  const named = new Set(
    text("NOTICE")
      .toLowerCase()
      .split(/[\s,]+/),
  );
  expect(shipped.length).toBeGreaterThan(10);
  expect(shipped.filter((name) => !named.has(name ?? ""))).toEqual([]);
});

test("the vsix names no place of the machine that packed it", () => {
  for (const [name, bytes] of Object.entries(unzipSync(fs.readFileSync(VSIX)))) {
    expect(Buffer.from(bytes).includes(process.cwd()), name).toBe(false);
  }
});
