/** One line chart in the colours of the editor's theme. */
import uPlot from "uplot";

import { element } from "../element";
import type { Column } from "./model";

export interface Line {
  readonly label: string;
  /** A CSS variable of the editor's theme. */
  readonly color: string;
  readonly format: (value: number) => string;
  /** Few points, far apart: they are marked, and the line goes on from one to the next. */
  readonly sparse?: boolean;
  /** The scale begins at zero, so that a ripple does not look like a wave. */
  readonly fromZero?: boolean;
}

export class Chart {
  readonly root: HTMLElement;
  private readonly plotArea = element("div", { class: "plot" });
  private plot: uPlot | undefined;
  private data: uPlot.AlignedData = [[]];

  constructor(
    private readonly title: string,
    private readonly lines: readonly Line[],
    private readonly height: number,
  ) {
    // The table of latest values says the same in words.
    this.root = element("figure", { class: "chart", role: "img" });
    this.root.append(element("figcaption", {}, title), this.plotArea);
    new ResizeObserver(() => this.resize()).observe(this.plotArea);
  }

  show(steps: number[], columns: readonly Column[]): void {
    this.data = [steps, ...columns];
    this.root.setAttribute("aria-label", `${this.title} by step, ${steps.length} values`);
    if (this.plot) this.plot.setData(this.data);
    else this.draw();
  }

  /** Draws anew, with the colours that the theme has now. */
  draw(): void {
    this.plot?.destroy();
    this.plot = undefined;
    const width = this.plotArea.clientWidth;
    if (width > 0) this.plot = new uPlot(this.options(width), this.data, this.plotArea);
  }

  private resize(): void {
    const width = this.plotArea.clientWidth;
    if (!this.plot) this.draw();
    else if (width > 0 && width !== this.plot.width) this.plot.setSize({ width, height: this.height });
  }

  private options(width: number): uPlot.Options {
    const text = themeColor("--vscode-descriptionForeground");
    const grid = { stroke: themeColor("--vscode-editorWidget-border"), width: 1 };
    const font = `11px ${getComputedStyle(document.body).fontFamily}`;
    const axis: uPlot.Axis = { stroke: text, grid, ticks: { show: false }, font, size: 28 };
    const format = this.lines[0]?.format ?? String;
    return {
      width,
      height: this.height,
      scales: { x: { time: false }, y: this.lines.some((line) => line.fromZero) ? { range: fromZero } : {} },
      axes: [
        { ...axis, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 50_000, 100_000] },
        { ...axis, size: 56, values: (_plot, ticks) => ticks.map(format) },
      ],
      cursor: { points: { size: 6 }, drag: { x: true, y: false } },
      series: [{ label: "step" }, ...this.lines.map(series)],
    };
  }
}

function series(line: Line): uPlot.Series {
  const stroke = themeColor(line.color);
  return {
    label: line.label,
    stroke,
    width: 1.5,
    spanGaps: true,
    points: { show: (plot) => line.sparse || plot.data[0].length < 3, size: 6, fill: stroke },
    value: (_plot, value: number | null) => (value === null ? "–" : line.format(value)),
  };
}

function fromZero(_plot: uPlot, _least: number, most: number): uPlot.Range.MinMax {
  return [0, (most || 1) * 1.1];
}

function themeColor(variable: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(variable).trim() || "gray";
}
