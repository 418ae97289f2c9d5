/** Short names for words of the protocol that the generated types spell out in place. */
import type { RunEventsParams, RunMoveParams, RunSummary } from "./types";

export type RunState = RunSummary["state"];
export type RunEvent = RunEventsParams["events"][number];

export type RunAction = "pause" | "resume" | "stop" | "cancel";
export type QueueMove = RunMoveParams["to"];
export type Anomaly = NonNullable<RunSummary["anomalies"]>[number];
export type RecoveryAction = Anomaly["actions"][number]["action"];

/** What can be asked of a run in each state. */
const ACTIONS: Readonly<Record<RunState, readonly RunAction[]>> = {
  queued: ["pause", "stop", "cancel"],
  preparing: ["pause", "stop", "cancel"],
  running: ["pause", "stop", "cancel"],
  stopping: ["cancel"],
  paused: ["resume", "stop", "cancel"],
  failed: ["resume"],
  stopped: ["resume"],
  completed: [],
  cancelled: [],
};

export function can(run: RunSummary, action: RunAction): boolean {
  return ACTIONS[run.state].includes(action);
}

const ACTIVE: ReadonlySet<RunState> = new Set(["queued", "preparing", "running", "stopping"]);

/** Whether a process works on it, or waits to. */
export function isActive(run: RunSummary): boolean {
  return ACTIVE.has(run.state);
}
