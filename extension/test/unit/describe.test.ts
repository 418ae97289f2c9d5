import { describe, expect, it } from "vitest";

import { durationText, lossText } from "../../src/runs/describe";

describe("durationText", () => {
  it.each([
    [0, "0 s"],
    [59.4, "59 s"],
    [59.6, "1 min 0 s"],
    [3599, "59 min 59 s"],
    [7325, "2 h 2 min"],
    [-3, "0 s"],
  ])("%d seconds are %s", (seconds, text) => {
    expect(durationText(seconds)).toBe(text);
  });
});

describe("lossText", () => {
  it("shows as many digits as matter", () => {
    expect([0.01234, 1.2345, 12.345].map(lossText)).toEqual(["0.012", "1.234", "12.3"]);
  });
});
