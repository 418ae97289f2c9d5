// Collects the licences of the packages whose code is in the bundles.

import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";

/** @param results what esbuild answered, each with its metafile */
export function writeNotices(results, target) {
  const inputs = results.flatMap(({ metafile }) => Object.keys(metafile.inputs));
  const folders = new Set(inputs.flatMap((file) => file.match(/^.*node_modules\/(?:@[^/]+\/)?[^/]+/)?.[0] ?? []));
  const entries = [...folders].sort().map(entry);
  writeFileSync(target, `Parts of these packages are in this extension.\n\n${entries.join("\n")}`);
}

function entry(folder) {
  const { name, version, license } = JSON.parse(readFileSync(path.join(folder, "package.json"), "utf8"));
  const file = readdirSync(folder).find((candidate) => /^licen[cs]e/i.test(candidate));
  if (!file || !existsSync(path.join(folder, file))) throw new Error(`${name} carries no licence text`);
  const rule = "-".repeat(80);
  return `${rule}\n${name} ${version} (${license})\n${rule}\n${readFileSync(path.join(folder, file), "utf8").trim()}\n`;
}
