/** Short names for words of the protocol that the generated types spell out in place. */
import type { RunEventsParams, RunSummary } from "./types";

export type RunState = RunSummary["state"];
export type RunEvent = RunEventsParams["events"][number];

const FINAL_STATES: ReadonlySet<RunState> = new Set(["completed", "failed", "stopped", "cancelled"]);

export function isActive(run: RunSummary): boolean {
  return !FINAL_STATES.has(run.state);
}
