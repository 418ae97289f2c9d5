/** The charts of a run: the loss in front, and beneath what was chosen to explain it. */
import type { ComparedRun } from "../../src/protocol/panel";
import { element } from "../element";
import { Chart, type Line } from "./chart";
import { CHART_KINDS, type ChartKind } from "./metrics";
import { type Curve, curveOf } from "./model";
import { smoothed } from "./smooth";

/** What a person chose to see. */
export interface View {
  /** The ids of charts. */
  readonly shown: readonly string[];
  /** 0 for the measurements as they are, to below 1. */
  readonly smoothing: number;
}

/** How other runs are drawn, so many as can be chosen. */
const OTHERS: readonly Pick<Line, "color" | "dash">[] = [
  { color: "--vscode-charts-yellow", dash: [6, 4] },
  { color: "--vscode-charts-red", dash: [2, 3] },
  { color: "--vscode-charts-green", dash: [10, 3, 2, 3] },
  { color: "--vscode-charts-purple", dash: [12, 4] },
  { color: "--vscode-foreground", dash: [4, 2, 2, 2] },
];

export class Charts {
  readonly root: HTMLElement;
  private readonly waiting = element("p", { class: "waiting" }, "The curves begin with the first step.");
  private readonly drawings: HTMLElement;
  private readonly charts: ReadonlyMap<ChartKind, Chart>;

  constructor(controls: HTMLElement) {
    this.charts = new Map(
      CHART_KINDS.map((kind, index) => [kind, new Chart({ ...kind, height: index === 0 ? 240 : 130 })]),
    );
    const [first, ...others] = [...this.charts.values()].map(({ root }) => root);
    const small = element("div", { class: "small-charts" }, ...others);
    this.drawings = element("div", {}, controls, ...(first ? [first] : []), small);
    this.root = element("section", { class: "charts", "aria-label": "Charts" }, this.waiting, this.drawings);
    // The editor changes the theme by changing the body's classes and the root's variables.
    const redraw = () => [...this.charts.values()].forEach((chart) => chart.draw());
    new MutationObserver(redraw).observe(document.body, { attributes: true, attributeFilter: ["class"] });
  }

  show(curves: ReadonlyMap<string, Curve>, view: View, compared: readonly ComparedRun[]): void {
    this.waiting.hidden = curves.size > 0;
    this.drawings.hidden = curves.size === 0;
    for (const [kind, chart] of this.charts) {
      chart.root.hidden = !view.shown.includes(kind.id) || !kind.lines.some(({ metric }) => curves.has(metric));
      if (!chart.root.hidden) chart.show(linesOf(kind, curves, view.smoothing, compared));
    }
  }
}

function linesOf(
  kind: ChartKind,
  curves: ReadonlyMap<string, Curve>,
  smoothing: number,
  compared: readonly ComparedRun[],
): Line[] {
  const own = kind.lines.flatMap(({ metric, ...line }): Line[] => {
    const curve = curves.get(metric);
    if (!curve) return [];
    if (smoothing === 0 || kind.exact || line.sparse) return [{ ...line, curve }];
    return [
      { ...line, curve: smoothed(curve, smoothing) },
      { ...line, label: `${line.label}, measured`, curve, faint: true },
    ];
  });
  const [main] = kind.lines;
  const others = compared.flatMap((run, index): Line[] => {
    const series = run.series.find(({ metric }) => metric === main?.metric);
    if (!series) return [];
    const curve = smoothing === 0 || kind.exact ? curveOf(series) : smoothed(curveOf(series), smoothing);
    return [{ label: run.id, color: "", ...OTHERS[index % OTHERS.length], curve }];
  });
  return [...own, ...others];
}
