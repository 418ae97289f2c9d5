/** The environment record of a run: with what it was made, so that it can be made again. */
import { readFile } from "node:fs/promises";
import path from "node:path";

import { type Fact, isRecord } from "../protocol/panel";
import { counted, sizeText } from "./describe";

const FILE = "environment.json";
const HASH_SHOWN = 12;

export function recordFile(directory: string): string {
  return path.join(directory, FILE);
}

/** Undefined before the run has written one. */
export async function readRecord(directory: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(recordFile(directory), "utf8"));
  } catch {
    return undefined;
  }
}

/** What a person looks for in a record. One that an older or newer program wrote may lack any of it. */
export function recordFacts(record: unknown): Fact[] {
  if (!isRecord(record)) return [];
  const packages = isRecord(record.packages) ? record.packages : {};
  const hardware = isRecord(record.hardware) ? record.hardware : {};
  const base = isRecord(record.base) ? record.base : {};
  const datasets = Array.isArray(record.datasets) ? record.datasets.filter(isRecord) : [];
  const examples = (count: unknown) => (typeof count === "number" ? `${counted(count, "example")}, ` : "");
  const facts: (readonly [string, string | undefined])[] = [
    ["Python", text(record.python)?.split(" ")[0]],
    ...Object.entries(packages).map(([name, version]) => [name, text(version)] as const),
    ["Seed", text(record.seed)],
    ["Threads", text(record.threads)],
    ["Commit", commitText(record.git)],
    ["System", text(record.platform)],
    ["Processor", text(hardware.cpu)],
    ["Memory", typeof hardware.total_memory_bytes === "number" ? sizeText(hardware.total_memory_bytes) : undefined],
    ["Base", [text(base.id), text(base.revision)].filter(Boolean).join(" at ")],
    ...datasets.map(
      (one) => [path.basename(text(one.path) ?? "data"), `${examples(one.examples)}${hashText(one.sha256)}`] as const,
    ),
  ];
  return facts.flatMap(([name, value]): Fact[] => (value ? [[name, value]] : []));
}

/** Enough of a hash to tell two apart. */
export function hashText(hash: unknown): string {
  return typeof hash === "string" ? `sha256 ${hash.slice(0, HASH_SHOWN)}…` : "no hash";
}

function commitText(git: unknown): string | undefined {
  if (!isRecord(git)) return undefined;
  return `${text(git.commit)?.slice(0, HASH_SHOWN)}${git.dirty === true ? ", with changes" : ""}`;
}

function text(value: unknown): string | undefined {
  return typeof value === "string" || typeof value === "number" ? String(value) : undefined;
}
