/** The events of a run in words, for the log and for what was done about anomalies. */
import type { RunEvent } from "../../src/protocol/words";
import { counted, lossText } from "../../src/runs/describe";

export interface LogLine {
  readonly time: string;
  readonly level: "info" | "warning" | "error";
  readonly text: string;
}

/** Undefined for what is drawn and not read. */
export function lineOf(event: RunEvent): Omit<LogLine, "time"> | undefined {
  switch (event.type) {
    case "metric":
      return undefined;
    case "log":
      return { level: event.level, text: event.message };
    case "state":
      return {
        level: "info",
        text: event.detail ? `${capitalized(event.state)}: ${event.detail}` : capitalized(event.state),
      };
    case "plan":
      return { level: "info", text: planText(event) };
    case "evaluation":
      return { level: "info", text: `Evaluated at step ${event.step}: loss ${valueText(event.values.loss)}` };
    case "checkpoint":
      return { level: "info", text: `Saved ${event.path} at step ${event.step}` };
    case "completed":
      return {
        level: "info",
        text: event.adapter === null ? "Completed" : `Completed: the adapter is in ${event.adapter}`,
      };
    case "stopped":
      return { level: "info", text: `Stopped at step ${event.step}` };
    case "cancelled":
      return { level: "info", text: `Cancelled at step ${event.step}` };
    case "paused":
      return { level: "info", text: `Paused at step ${event.step}` };
    case "resumed":
      return { level: "info", text: `Goes on from step ${event.step}` };
    case "anomaly":
      return { level: "warning", text: event.cause };
    case "recovery":
      return { level: "info", text: recoveryText(event) };
    case "failed":
      return { level: "error", text: `${event.error.message} ${event.error.remedy}` };
  }
}

function planText(plan: Extract<RunEvent, { type: "plan" }>): string {
  const share = ((100 * plan.trainable_parameters) / plan.total_parameters).toFixed(2);
  const count = (value: number) => value.toLocaleString("en");
  return (
    `${counted(plan.total_steps, "step")} over ${counted(plan.examples, "example")}; ` +
    `training ${count(plan.trainable_parameters)} of ${count(plan.total_parameters)} parameters (${share} %) ` +
    `on ${plan.device} in ${plan.dtype} with ${plan.backend}`
  );
}

export function recoveryText(recovery: Extract<RunEvent, { type: "recovery" }>): string {
  const changes = recovery.changes.map(({ key, before, after }) => `${key} from ${before} to ${after}`);
  const what = changes.length > 0 ? changes.join(", ") : recovery.action;
  return `Changed at step ${recovery.step}${recovery.by === "auto" ? ", automatically" : ""}: ${what}`;
}

function valueText(value: number | null | undefined): string {
  return typeof value === "number" ? lossText(value) : "not a number";
}

function capitalized(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}
