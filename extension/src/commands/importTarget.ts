import path from "node:path";

/** Names the config that comes of another tool's file: beside it, under a name that is still free. */
export function importTarget(source: string, exists: (file: string) => boolean): string {
  const folder = path.dirname(source);
  const stem = path.basename(source).replace(/\.(ya?ml|json)$/i, "");
  for (let number = 1; ; number++) {
    const file = path.join(folder, `${stem}${number === 1 ? "" : `-${number}`}.peft.yaml`);
    if (!exists(file)) return file;
  }
}
