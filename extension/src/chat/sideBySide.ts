/** Two answers that come at the same time, beside each other where Markdown can only be appended to: a table, row by row. */

/** A sentence gets a row of its own from here on; shorter ones share it. */
const SHORTEST = 40;
/** Letters of a row in which no sentence ends. */
const LONGEST = 240;

/** Letters between the mark that ends a sentence and the next one, at most: a bracket and a quote, a space, a letter. */
const BEHIND = 4;

const SENTENCE = new RegExp(`^.{${SHORTEST - 1},${LONGEST - 1}}?(?:[.!?…]["'”’)]{0,2}\\s|[。！？])(?=\\S)`, "u");
const FENCE = /^\s*(?:```|~~~)/;
const HEADING = /^#{1,6}\s+(.*)$/;

export class SideBySide {
  private readonly sides: readonly [Side, Side] = [new Side(), new Side()];

  /** @param names what stands above each answer */
  constructor(
    names: readonly [string, string],
    private readonly write: (text: string) => void,
  ) {
    this.write(`${row(names.map((name) => `**${escaped(name)}**`))}|---|---|\n`);
  }

  add(side: 0 | 1, text: string): void {
    this.sides[side].add(text);
    this.writeRows();
  }

  end(side: 0 | 1): void {
    this.sides[side].end();
    this.writeRows();
  }

  /** A row is written once each side has its part of it, or will have none. */
  private writeRows(): void {
    const [left, right] = this.sides;
    while ((left.ready || right.ready) && (left.ready || left.ended) && (right.ready || right.ended))
      this.write(row([left.take(), right.take()]));
  }
}

/** One answer, cut into cells: lines, and sentences of long ones. */
class Side {
  ended = false;
  private readonly cells: string[] = [];
  /** What has come of the line that is not complete. */
  private rest = "";
  private inCode = false;

  get ready(): boolean {
    return this.cells.length > 0;
  }

  take(): string {
    return this.cells.shift() ?? "";
  }

  add(text: string): void {
    const lines = (this.rest + text).split("\n");
    this.rest = lines.pop() ?? "";
    for (const line of lines) this.addLine(line);
    if (!this.inCode && !/^\s*[`~#]/.test(this.rest)) this.rest = this.addSentences(this.rest);
  }

  end(): void {
    this.addLine(this.rest);
    this.rest = "";
    this.ended = true;
  }

  private addLine(line: string): void {
    if (FENCE.test(line)) this.inCode = !this.inCode;
    else if (line.trim() === "") return;
    else if (this.inCode) this.cells.push(code(line));
    else {
      const heading = HEADING.exec(line.trim())?.[1];
      if (heading) this.cells.push(`**${escaped(heading)}**`);
      else this.cells.push(escaped(this.addSentences(line).trim()));
    }
  }

  /** Takes what is complete off the beginning of a line, and returns what is left. */
  private addSentences(line: string): string {
    let left = line.trimStart();
    for (let at = cut(left); at > 0; at = cut(left)) {
      this.cells.push(escaped(left.slice(0, at).trim()));
      left = left.slice(at).trimStart();
    }
    return left;
  }
}

/** Where the first cell of a line ends, if more follows; else 0. */
function cut(line: string): number {
  const sentence = SENTENCE.exec(line);
  if (sentence) return sentence[0].length;
  // Later than any sentence could end, so it does not matter in which pieces a line comes.
  return line.length > LONGEST + BEHIND ? line.lastIndexOf(" ", LONGEST) + 1 : 0;
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |\n`;
}

/** A bar would end the cell; a backslash before one would keep ours from its work. */
function escaped(text: string): string {
  return text.replaceAll(/\\(?=\||\\*$)/g, "\\\\").replaceAll("|", "\\|");
}

/** A line of code, with its indentation, which Markdown would drop. */
function code(line: string): string {
  const text = line.replaceAll("\t", "    ").replace(/^ +/, (spaces) => "\u00a0".repeat(spaces.length));
  const longest = Math.max(0, ...[...text.matchAll(/`+/g)].map(([ticks]) => ticks.length));
  const ticks = "`".repeat(longest + 1);
  const space = longest > 0 ? " " : "";
  return `${ticks}${space}${text.replaceAll("|", "\\|")}${space}${ticks}`;
}
