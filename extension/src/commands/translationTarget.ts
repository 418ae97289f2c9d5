type Exists = (file: string) => boolean;

/** Names the config that comes of another tool's file: beside it, under a name that is still free. */
export function importTarget(source: string, exists: Exists): string {
  return freeName(source.replace(/\.(ya?ml|json)$/i, ""), ".peft.yaml", exists);
}

/** Names the file for another tool that comes of a config: beside it, under a name that is still free. */
export function exportTarget(config: string, tool: string, exists: Exists): string {
  return freeName(config.replace(/\.peft\.ya?ml$/i, ""), `.${tool}.yaml`, exists);
}

function freeName(stem: string, ending: string, exists: Exists): string {
  for (let number = 1; ; number++) {
    const file = `${stem}${number === 1 ? "" : `-${number}`}${ending}`;
    if (!exists(file)) return file;
  }
}
