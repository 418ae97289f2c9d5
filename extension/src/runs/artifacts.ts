/** What a run made, as a person sees it: a folder is one thing, however many files it has. */
import type { Artifact } from "../protocol/types";
import { sizeText } from "./describe";

export interface Made {
  /** Relative to the run directory. */
  readonly path: string;
  readonly files: number;
  /** Of them, those that are no longer there. */
  readonly gone: number;
  readonly bytes: number;
}

/** Checkpoints are told as folders already; the files of any other folder are put together. */
export function gather(artifacts: readonly Artifact[]): Made[] {
  const made = new Map<string, Made>();
  for (const { path, bytes, present } of artifacts) {
    const key = path.startsWith("checkpoints/") ? path : (path.split("/")[0] ?? path);
    const before = made.get(key) ?? { path: key, files: 0, gone: 0, bytes: 0 };
    made.set(key, {
      path: key,
      files: before.files + 1,
      gone: before.gone + (present ? 0 : 1),
      bytes: before.bytes + (bytes ?? 0),
    });
  }
  return [...made.values()];
}

export function madeText({ files, gone, bytes }: Made): string {
  if (gone === files) return "is gone";
  if (gone > 0) return `${gone} of ${files} files ${gone === 1 ? "is" : "are"} gone`;
  return sizeText(bytes);
}
