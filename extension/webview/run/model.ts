/** What a run has said so far, in the form in which the panel shows it. */
import type { Series } from "../../src/protocol/types";
import type { RunEvent } from "../../src/protocol/words";
import { lineOf, type LogLine, recoveryText } from "./eventText";

export type Column = (number | null)[];

/** Something that was changed while the run went, and that can be taken back. */
export interface Recovery {
  readonly id: string;
  readonly text: string;
}

/** One metric by step: a run that goes on from a checkpoint measures some steps again, and the newest value counts. */
export type Curve = ReadonlyMap<number, number | null>;

/** More lines than anybody reads; the run directory has them all. */
const KEPT_LINES = 1_000;

export class RunModel {
  private readonly measured = new Map<string, Map<number, number | null>>();
  private lines: LogLine[] = [];

  /** By id, what was done about anomalies and not taken back. */
  private readonly standing = new Map<string, Recovery>();

  /** @param history what was measured before the events that will be applied */
  constructor(history: readonly Series[] = []) {
    for (const series of history) this.measured.set(series.metric, curveOf(series));
  }

  /** Oldest first. */
  get recoveries(): readonly Recovery[] {
    return [...this.standing.values()];
  }

  get log(): readonly LogLine[] {
    return this.lines;
  }

  get curves(): ReadonlyMap<string, Curve> {
    return this.measured;
  }

  /** How many points the longest curve has. */
  get points(): number {
    return Math.max(0, ...[...this.measured.values()].map(({ size }) => size));
  }

  apply(events: readonly RunEvent[]): void {
    for (const event of events) {
      if (event.type === "metric") this.measure(event.step, event.values, "");
      if (event.type === "evaluation") this.measure(event.step, event.values, "eval_");
      if (event.type === "recovery") this.recovered(event);
      const line = lineOf(event);
      if (line) this.lines.push({ time: event.time, ...line });
    }
    this.lines = this.lines.slice(-KEPT_LINES);
  }

  private recovered(event: Extract<RunEvent, { type: "recovery" }>): void {
    if (event.undoes != null) this.standing.delete(event.undoes);
    else if (event.changes.length > 0) this.standing.set(event.id, { id: event.id, text: recoveryText(event) });
  }

  private measure(step: number, values: Readonly<Record<string, number | null>>, prefix: string): void {
    for (const [name, value] of Object.entries(values)) {
      const metric = prefix + name;
      const curve = this.measured.get(metric);
      if (curve) curve.set(step, value);
      else this.measured.set(metric, new Map([[step, value]]));
    }
  }
}

export function curveOf({ steps, values }: Series): Map<number, number | null> {
  return new Map(steps.map((step, index) => [step, values[index] ?? null]));
}

/** Lays curves over a common axis of steps, with null where one was not measured. */
export function align(curves: readonly Curve[]): { steps: number[]; columns: Column[] } {
  const steps = [...new Set(curves.flatMap((curve) => [...curve.keys()]))].sort((a, b) => a - b);
  return { steps, columns: curves.map((curve) => steps.map((step) => curve.get(step) ?? null)) };
}
