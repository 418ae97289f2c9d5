import { describe, expect, it } from "vitest";

import { InTurn } from "../../src/chat/inTurn";

function written(act: (texts: InTurn) => void): string[] {
  const all: string[] = [];
  act(new InTurn(["A: ", " B: "], (text) => all.push(text)));
  return all;
}

describe("two texts that come together", () => {
  it("are written one after the other, the first as it comes", () => {
    const parts = written((texts) => {
      texts.add(0, "a");
      texts.add(1, "x");
      texts.add(0, "b");
      texts.end(0);
      texts.add(1, "y");
      texts.end(1);
    });
    expect(parts).toEqual(["A: ", "a", "b", " B: x", "y"]);
  });

  it("are both whole when the second ends first", () => {
    const parts = written((texts) => {
      texts.add(1, "xy");
      texts.end(1);
      texts.add(0, "ab");
      texts.end(0);
    });
    expect(parts.join("")).toBe("A: ab B: xy");
  });
});
