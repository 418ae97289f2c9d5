/** Decides after a crash how long to wait before the next start, and when to give up. */
const FIRST_DELAY_MS = 1_000;
const MAX_DELAY_MS = 8_000;
const MAX_CRASHES = 5;
const WINDOW_MS = 3 * 60_000;

export class CrashHistory {
  private times: number[] = [];

  /** Records a crash; returns the milliseconds to wait, or undefined when it crashed too often to go on. */
  record(now: number): number | undefined {
    this.times = [...this.times.filter((time) => now - time < WINDOW_MS), now];
    if (this.times.length >= MAX_CRASHES) return undefined;
    return Math.min(FIRST_DELAY_MS * 2 ** (this.times.length - 1), MAX_DELAY_MS);
  }

  /** A person asked for a new start: what was before does not count. */
  forget(): void {
    this.times = [];
  }
}
