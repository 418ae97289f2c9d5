/** What a run measured, in words and units. */
import { lossText, memoryText } from "./describe";

type Measurements = Readonly<Record<string, number | null>>;

const ROWS: readonly (readonly [metric: string, label: string, format: (value: number) => string])[] = [
  ["loss", "Training loss", lossText],
  ["eval_loss", "Evaluation loss", lossText],
  ["learning_rate", "Learning rate", (value) => value.toExponential(2)],
  ["grad_norm", "Gradient norm", (value) => value.toFixed(3)],
  ["tokens_per_second", "Tokens a second", (value) => Math.round(value).toLocaleString("en")],
  ["tokens", "Tokens trained on", (value) => value.toLocaleString("en")],
  ["memory_bytes", "Memory", memoryText],
  ["cpu_percent", "Processor", (value) => `${Math.round(value)} %`],
  ["gpu_percent", "GPU", (value) => `${Math.round(value)} %`],
];

/** The measurements that are there, each with its name. */
export function measuredFacts(metrics: Measurements): readonly (readonly [label: string, text: string])[] {
  return ROWS.flatMap(([metric, label, format]) => {
    const value = metrics[metric];
    if (value === undefined) return [];
    return [[label, value === null ? "not a number" : format(value)] as const];
  });
}
