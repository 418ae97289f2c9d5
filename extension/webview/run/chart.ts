/** One line chart in the colours of the editor's theme. */
import uPlot from "uplot";

import { counted } from "../../src/runs/describe";
import { element } from "../element";
import { opaque } from "./color";
import { align, type Curve } from "./model";

export interface Line {
  readonly label: string;
  /** A CSS variable of the editor's theme. */
  readonly color: string;
  readonly curve: Curve;
  /** Few points, far apart: they are marked, and the line goes on from one to the next. */
  readonly sparse?: boolean;
  /** Of another run: lengths of strokes and gaps, so that not the colour alone tells runs apart. */
  readonly dash?: readonly number[];
  /** What a smoothed line was made of, seen through it. */
  readonly faint?: boolean;
}

export interface ChartLook {
  readonly title: string;
  readonly format: (value: number) => string;
  readonly fromZero?: boolean;
  readonly height: number;
}

export class Chart {
  readonly root: HTMLElement;
  // The table of latest values says the same in words.
  private readonly plotArea = element("div", { class: "plot", role: "img" });
  private plot: uPlot | undefined;
  private lines: readonly Line[] = [];
  private data: uPlot.AlignedData = [[]];

  constructor(private readonly look: ChartLook) {
    this.root = element("figure", { class: "chart" }, element("figcaption", {}, look.title), this.plotArea);
    new ResizeObserver(() => this.resize()).observe(this.plotArea);
  }

  show(lines: readonly Line[]): void {
    const alike = styleOf(lines) === styleOf(this.lines);
    const { steps, columns } = align(lines.map(({ curve }) => curve));
    const zoom = this.zoom();
    this.lines = lines;
    this.data = [steps, ...columns];
    const others = lines.filter(({ dash }) => dash).map(({ label }) => label);
    const beside = others.length > 0 ? `, beside ${new Intl.ListFormat("en").format(others)}` : "";
    this.plotArea.setAttribute("aria-label", `${this.look.title} by step, ${counted(steps.length, "value")}${beside}`);
    if (this.plot && alike) this.plot.setData(this.data);
    else this.draw();
    if (zoom) this.plot?.setScale("x", zoom);
  }

  /** The stretch that somebody looks at, which stays where it is while the run goes on; undefined for all of it. */
  private zoom(): { min: number; max: number } | undefined {
    const { min, max } = this.plot?.scales.x ?? {};
    const steps = this.data[0];
    if (min == null || max == null || steps.length < 2) return undefined;
    return min > (steps[0] ?? 0) || max < (steps.at(-1) ?? 0) ? { min, max } : undefined;
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
    else if (width > 0 && width !== this.plot.width) this.plot.setSize({ width, height: this.look.height });
  }

  private options(width: number): uPlot.Options {
    const { height, format } = this.look;
    const text = themeColor("--vscode-descriptionForeground");
    const grid = { stroke: themeColor("--vscode-editorWidget-border"), width: 1 };
    const font = `11px ${getComputedStyle(document.body).fontFamily}`;
    const axis: uPlot.Axis = { stroke: text, grid, ticks: { show: false }, font, size: 28 };
    return {
      width,
      height,
      scales: { x: { time: false }, y: this.look.fromZero ? { range: fromZero } : {} },
      axes: [
        { ...axis, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 50_000, 100_000, 500_000] },
        { ...axis, size: 64, values: (_plot, ticks) => ticks.map(format) },
      ],
      legend: { markers: { dash: (_plot, index) => (this.lines[index - 1]?.dash ? "dashed" : "solid") } },
      cursor: { points: { size: 6 }, drag: { x: true, y: false } },
      series: [{ label: "step" }, ...this.lines.map((line) => seriesOf(line, format))],
    };
  }
}

function styleOf(lines: readonly Line[]): string {
  return JSON.stringify(lines.map(({ curve: _, ...style }) => style));
}

function seriesOf(line: Line, format: (value: number) => string): uPlot.Series {
  const stroke = opaque(themeColor(line.color));
  return {
    label: line.label,
    stroke,
    alpha: line.faint ? 0.3 : 1,
    width: 1.5,
    ...(line.dash ? { dash: [...line.dash] } : {}),
    spanGaps: true,
    points: { show: (plot) => line.sparse || plot.data[0].length < 3, size: 6, fill: stroke },
    value: (_plot, value: number | null) => (value === null ? "–" : format(value)),
  };
}

function fromZero(_plot: uPlot, _least: number, most: number): uPlot.Range.MinMax {
  return [0, (most || 1) * 1.1];
}

function themeColor(variable: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(variable).trim() || "gray";
}
