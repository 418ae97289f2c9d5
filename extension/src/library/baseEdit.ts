/** Writing `model.base` of a config: the smallest edit that does it. */

export interface LineEdit {
  /** The line, from 0. */
  readonly line: number;
  /** The part of it that is replaced; with both ends 0, a line is put before it. */
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

export function baseEdit(lines: readonly string[], base: string): LineEdit {
  const value = /^[A-Za-z0-9/~][\w./~-]*$/.test(base) ? base : JSON.stringify(base);
  const model = lines.findIndex((line) => /^model:\s*(#.*)?$/.test(line));
  if (model === -1) return { line: placeOfModel(lines), start: 0, end: 0, text: `model:\n  base: ${value}\n` };
  for (const [offset, line] of lines.slice(model + 1).entries()) {
    if (/^\S/.test(line) && !line.startsWith("#")) break;
    const found = /^(\s+base:[ \t]*)(.*?)(\s+#.*)?$/.exec(line);
    if (!found) continue;
    const [, key = "", old = ""] = found;
    const gap = key.endsWith(":") ? " " : "";
    return { line: model + 1 + offset, start: key.length, end: key.length + old.length, text: gap + value };
  }
  const indent = /^\s+/.exec(lines[model + 1] ?? "")?.[0] ?? "  ";
  return { line: model + 1, start: 0, end: 0, text: `${indent}base: ${value}\n` };
}

/** After `version` and `name`, where configs have it; else at the top. */
function placeOfModel(lines: readonly string[]): number {
  return lines.findLastIndex((line) => /^(version|name|profile):/.test(line)) + 1;
}
