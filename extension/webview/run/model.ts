/** What a run has said so far, in the form in which the panel shows it. */
import type { RunEvent } from "../../src/protocol/words";
import { lossText } from "../../src/runs/describe";

export type Column = (number | null)[];

/** A step's measurements, columns of equal length for the charts. */
export interface Columns {
  readonly steps: number[];
  readonly loss: Column;
  readonly evaluationLoss: Column;
  readonly learningRate: Column;
  readonly tokensPerSecond: Column;
}

export interface LogLine {
  readonly time: string;
  readonly level: "info" | "warning" | "error";
  readonly text: string;
}

/** Something that was changed while the run went, and that can be taken back. */
export interface Recovery {
  readonly id: string;
  readonly text: string;
}

interface Point {
  loss?: number | null;
  evaluationLoss?: number | null;
  learningRate?: number | null;
  tokensPerSecond?: number | null;
}

/** More lines than anybody reads; the run directory has them all. */
const KEPT_LINES = 1_000;

export class RunModel {
  /** By step: a run that goes on from a checkpoint measures some steps again, and the newest value counts. */
  private readonly points = new Map<number, Point>();
  private lines: LogLine[] = [];

  /** By id, what was done about anomalies and not taken back. */
  private readonly standing = new Map<string, Recovery>();

  /** Oldest first. */
  get recoveries(): readonly Recovery[] {
    return [...this.standing.values()];
  }

  get log(): readonly LogLine[] {
    return this.lines;
  }

  apply(events: readonly RunEvent[]): void {
    for (const event of events) {
      this.measure(event);
      if (event.type === "recovery") this.recovered(event);
      const line = lineOf(event);
      if (line) this.lines.push({ time: event.time, ...line });
    }
    this.lines = this.lines.slice(-KEPT_LINES);
  }

  columns(): Columns {
    const steps = [...this.points.keys()].sort((a, b) => a - b);
    const column = (name: keyof Point): Column => steps.map((step) => this.points.get(step)?.[name] ?? null);
    return {
      steps,
      loss: column("loss"),
      evaluationLoss: column("evaluationLoss"),
      learningRate: column("learningRate"),
      tokensPerSecond: column("tokensPerSecond"),
    };
  }

  private recovered(event: Extract<RunEvent, { type: "recovery" }>): void {
    if (event.undoes != null) this.standing.delete(event.undoes);
    else if (event.changes.length > 0) this.standing.set(event.id, { id: event.id, text: recoveryText(event) });
  }

  private measure(event: RunEvent): void {
    if (event.type === "metric") {
      const { loss, learning_rate, tokens_per_second } = event.values;
      this.extend(event.step, { loss, learningRate: learning_rate, tokensPerSecond: tokens_per_second });
    } else if (event.type === "evaluation") {
      this.extend(event.step, { evaluationLoss: event.values.loss });
    }
  }

  private extend(step: number, values: Point): void {
    this.points.set(step, { ...this.points.get(step), ...values });
  }
}

function lineOf(event: RunEvent): Omit<LogLine, "time"> | undefined {
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
    `${count(plan.total_steps)} steps over ${count(plan.examples)} examples; ` +
    `training ${count(plan.trainable_parameters)} of ${count(plan.total_parameters)} parameters (${share} %) ` +
    `on ${plan.device} in ${plan.dtype} with ${plan.backend}`
  );
}

function recoveryText(recovery: Extract<RunEvent, { type: "recovery" }>): string {
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
