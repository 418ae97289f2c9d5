/** `/compare` in the editor's own chat, which takes Markdown that is only ever appended to. */
import MarkdownIt from "markdown-it";
import { describe, expect, it } from "vitest";

import { SideBySide } from "../../src/chat/sideBySide";

type Act = (answers: SideBySide) => void;

function written(act: Act): string[] {
  const all: string[] = [];
  act(new SideBySide(["A|1", "B"], (text) => all.push(text)));
  return all;
}

/** The cells as a reader of Markdown sees them, row by row. */
function table(act: Act): string[][] {
  const html = new MarkdownIt().render(written(act).join(""));
  return [...html.matchAll(/<tr>(.*?)<\/tr>/gs)].map(([, row]) =>
    [...(row ?? "").matchAll(/<t[hd]>(.*?)<\/t[hd]>/gs)].map(([, cell]) => cell ?? ""),
  );
}

function whole(left: string, right: string): string[][] {
  return table((answers) => {
    answers.add(0, left);
    answers.add(1, right);
    answers.end(0);
    answers.end(1);
  }).slice(1);
}

const LONG = "This sentence is long enough to have a row of its own.";

describe("I10: two answers that come together", () => {
  it("stand beside each other and are written while both still come", () => {
    const all = table((answers) => {
      answers.add(0, "one\ntwo\nth");
      answers.add(1, "un\nde");
      answers.add(1, "ux\n");
      answers.add(0, "ree");
      answers.end(0);
      answers.add(1, "trois");
      answers.end(1);
    });
    expect(all).toEqual([
      ["<strong>A|1</strong>", "<strong>B</strong>"],
      ["one", "un"],
      ["two", "deux"],
      ["three", "trois"],
    ]);
    const parts = written((answers) => {
      answers.add(0, "one\n");
      answers.add(1, "un\n");
    });
    // Neither has ended, and the first lines of both are there.
    expect(parts.at(-1)).toContain("one");
    expect(parts.at(-1)).toContain("un");
  });

  it("do not wait for each other at the end", () => {
    const parts = written((answers) => {
      answers.add(0, "short");
      answers.end(0);
      answers.add(1, "first\n");
      answers.add(1, "second\n");
    });
    expect(parts.slice(-2).map((row) => row.includes("first") || row.includes("second"))).toEqual([true, true]);
  });

  it("are cut at the ends of sentences and nowhere within a word", () => {
    expect(whole(`${LONG} And so on.`, "Yes.")).toEqual([
      [LONG, "Yes."],
      ["And so on.", ""],
    ]);
    expect(whole("これは一つの文です。".repeat(12), "").map(([cell]) => cell?.length)).toEqual([40, 40, 40]);
    const words = "word ".repeat(200).trim();
    const rows = whole(words, "");
    expect(rows.length).toBeGreaterThan(3);
    expect(rows.map(([cell]) => cell).join(" ")).toBe(words);
  });

  it("are cut the same however they come", () => {
    const text = `${LONG} 3.5 is a number.\n\n- a list | with a bar\n## Title\n\`\`\`py\nif a | b:\n    return 1\n\`\`\`\nEnd`;
    const letters = table((answers) => {
      for (const letter of text) answers.add(0, letter);
      answers.end(0);
      answers.end(1);
    }).slice(1);
    expect(letters).toEqual(whole(text, ""));
    expect(letters.map(([cell]) => cell)).toEqual([
      LONG,
      "3.5 is a number.",
      "- a list | with a bar",
      "<strong>Title</strong>",
      "<code>if a | b:</code>",
      "<code>\u00a0\u00a0\u00a0\u00a0return 1</code>",
      "End",
    ]);
  });

  it("may hold nothing, or backticks", () => {
    expect(whole("", "a")).toEqual([["", "a"]]);
    expect(whole("\n\n", "")).toEqual([]);
    expect(whole("~~~\nx = `y` + ``z``\n~~~", "")).toEqual([["<code>x = `y` + ``z``</code>", ""]]);
  });

  it("cannot leave their cells by what they say", () => {
    const rows = whole("a \\| b\\\nc | d |\n| --- |\n<td>x</td>", "ok");
    expect(rows).toHaveLength(4);
    expect(rows.every((row) => row.length === 2)).toBe(true);
    expect(rows[0]).toEqual(["a \\| b\\", "ok"]);
    expect(rows[3]?.[0]).toBe("&lt;td&gt;x&lt;/td&gt;");
  });
});
