/** The charts of a run: the loss in front, and what explains it beneath. */
import { lossText } from "../../src/runs/describe";
import { Chart } from "./chart";
import { element } from "../element";
import type { Columns } from "./model";

/** `2e-4`, with as many digits as tell neighbouring values apart. */
function rateText(rate: number): string {
  return rate === 0 ? "0" : Number(rate.toPrecision(3)).toExponential();
}

export class Charts {
  readonly root: HTMLElement;
  private readonly waiting = element("p", { class: "waiting" }, "The curves begin with the first step.");
  private readonly drawings: HTMLElement;
  private readonly loss = new Chart(
    "Loss",
    [
      { label: "training", color: "--vscode-charts-blue", format: lossText },
      { label: "evaluation", color: "--vscode-charts-orange", format: lossText, sparse: true },
    ],
    240,
  );
  private readonly learningRate = new Chart(
    "Learning rate",
    [{ label: "learning rate", color: "--vscode-charts-purple", format: rateText }],
    130,
  );
  private readonly speed = new Chart(
    "Tokens a second",
    [
      {
        label: "tokens/s",
        color: "--vscode-charts-green",
        format: (speed) => Math.round(speed).toLocaleString("en"),
        fromZero: true,
      },
    ],
    130,
  );

  constructor() {
    const small = element("div", { class: "small-charts" }, this.learningRate.root, this.speed.root);
    this.drawings = element("div", {}, this.loss.root, small);
    this.root = element("section", { class: "charts", "aria-label": "Charts" }, this.waiting, this.drawings);
    // The editor changes the theme by changing the body's classes and the root's variables.
    const redraw = () => [this.loss, this.learningRate, this.speed].forEach((chart) => chart.draw());
    new MutationObserver(redraw).observe(document.body, { attributes: true, attributeFilter: ["class"] });
  }

  show({ steps, loss, evaluationLoss, learningRate, tokensPerSecond }: Columns): void {
    this.waiting.hidden = steps.length > 0;
    this.drawings.hidden = steps.length === 0;
    this.loss.show(steps, [loss, evaluationLoss]);
    this.learningRate.show(steps, [learningRate]);
    this.speed.show(steps, [tokensPerSecond]);
  }
}
