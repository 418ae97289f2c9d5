/** A piece of a document as a model is told of it. */

/** @param label where it is from, for people and for the model */
export function contextText(label: string, language: string, text: string): string {
  const longest = Math.max(0, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = "`".repeat(Math.max(3, longest + 1));
  return `From ${label}:\n\n${fence}${language}\n${text}\n${fence}`;
}

/** @param first and `last` counted from 1 */
export function contextLabel(file: string, first: number, last: number): string {
  return first === last ? `${file}, line ${first}` : `${file}, lines ${first}–${last}`;
}
