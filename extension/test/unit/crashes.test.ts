import { describe, expect, it } from "vitest";

import { CrashHistory } from "../../src/server/crashes";

const MINUTE = 60_000;

describe("CrashHistory", () => {
  it("waits twice as long after each crash, up to eight seconds", () => {
    const crashes = new CrashHistory();
    expect([0, 1, 2, 3].map((second) => crashes.record(second * 1000))).toEqual([1000, 2000, 4000, 8000]);
  });

  it("gives up at the fifth crash within three minutes", () => {
    const crashes = new CrashHistory();
    const delays = [0, 0.5, 1, 2, 2.9].map((minute) => crashes.record(minute * MINUTE));
    expect(delays.at(-1)).toBeUndefined();
    expect(delays.slice(0, -1)).not.toContain(undefined);
  });

  it("forgets crashes that are older than three minutes", () => {
    const crashes = new CrashHistory();
    for (const minute of [0, 0.1, 0.2, 0.3]) crashes.record(minute * MINUTE);
    expect(crashes.record(10 * MINUTE)).toBe(1000);
  });

  it("starts afresh when a person asks for a restart", () => {
    const crashes = new CrashHistory();
    for (let count = 0; count < 5; count++) crashes.record(0);
    crashes.forget();
    expect(crashes.record(1)).toBe(1000);
  });
});
