/** What can be drawn of a run: each chart with its lines, and how their values are written. */
import { lossText, memoryText } from "../../src/runs/describe";

export interface MetricLine {
  readonly metric: string;
  readonly label: string;
  /** A CSS variable of the editor's theme. */
  readonly color: string;
  /** Few points, far apart: they are marked, and the line goes on from one to the next. */
  readonly sparse?: boolean;
}

export interface ChartKind {
  readonly id: string;
  readonly title: string;
  readonly lines: readonly MetricLine[];
  readonly format: (value: number) => string;
  /** The scale begins at zero, so that a ripple does not look like a wave. */
  readonly fromZero?: boolean;
  /** It has no noise to be smoothed away. */
  readonly exact?: boolean;
}

const count = (value: number) => Math.round(value).toLocaleString("en");
const percent = (value: number) => `${Math.round(value)} %`;

/** `2e-4`, with as many digits as tell neighbouring values apart. */
function rateText(rate: number): string {
  return rate === 0 ? "0" : Number(rate.toPrecision(3)).toExponential();
}

function normText(norm: number): string {
  return Number(norm.toPrecision(3)).toString();
}

/** The first is drawn large, the others beneath. */
export const CHART_KINDS: readonly ChartKind[] = [
  {
    id: "loss",
    title: "Loss",
    format: lossText,
    lines: [
      { metric: "loss", label: "training", color: "--vscode-charts-blue" },
      { metric: "eval_loss", label: "evaluation", color: "--vscode-charts-orange", sparse: true },
    ],
  },
  single("learning_rate", "Learning rate", "purple", rateText, { exact: true }),
  single("tokens_per_second", "Tokens a second", "green", count, { fromZero: true }),
  single("grad_norm", "Gradient norm", "orange", normText, { fromZero: true }),
  single("memory_bytes", "Memory", "blue", memoryText, { fromZero: true }),
  single("cpu_percent", "Processor", "yellow", percent, { fromZero: true }),
  single("machine_memory_share", "Machine's memory", "red", (share) => percent(100 * share), { fromZero: true }),
  single("gpu_percent", "GPU", "green", percent, { fromZero: true }),
  single("gpu_memory_bytes", "GPU memory", "purple", memoryText, { fromZero: true }),
  single("gpu_celsius", "GPU temperature", "red", (degrees) => `${Math.round(degrees)} °C`),
];

export const SHOWN_AT_FIRST: readonly string[] = ["loss", "learning_rate", "tokens_per_second"];

function single(
  metric: string,
  title: string,
  color: string,
  format: (value: number) => string,
  more: Pick<ChartKind, "fromZero" | "exact"> = {},
): ChartKind {
  const line = { metric, label: title.toLowerCase(), color: `--vscode-charts-${color}` };
  return { id: metric, title, format, lines: [line], ...more };
}
