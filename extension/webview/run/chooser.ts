/** Chooses what the charts show: which metrics, how smooth, beside which other runs. */
import type { ComparedRun, PanelMessage } from "../../src/protocol/panel";
import { element } from "../element";
import type { View } from "./charts";
import { CHART_KINDS } from "./metrics";
import type { Curve } from "./model";

/** More would hide what the run does now. */
const SMOOTHEST = 0.98;

export class Chooser {
  readonly root: HTMLElement;
  private readonly choices = element("div", { class: "choices", role: "group", "aria-label": "Charts that are shown" });
  private readonly smoothing: HTMLInputElement;
  private readonly clear = element("button", { type: "button", class: "secondary" }, "Compare with None");
  private offered = "";

  constructor(
    private view: View,
    private readonly changed: (view: View) => void,
    send: (message: PanelMessage) => void,
  ) {
    const range = { type: "range", id: "smoothing", min: "0", max: `${SMOOTHEST}`, step: "0.02" };
    this.smoothing = element("input", { ...range, value: `${view.smoothing}` });
    this.smoothing.addEventListener("input", () => this.change({ smoothing: Number(this.smoothing.value) }));
    const compare = element("button", { type: "button", class: "secondary" }, "Compare…");
    compare.addEventListener("click", () => send({ type: "compare" }));
    this.clear.addEventListener("click", () => send({ type: "compareNone" }));
    this.clear.hidden = true;
    const slider = element("span", { class: "smoothing" }, element("label", { for: "smoothing" }, "Smoothing"));
    slider.append(this.smoothing);
    this.root = element("div", { class: "chooser" }, this.choices, slider, compare, this.clear);
  }

  /** Offers what the run has measured. */
  show(curves: ReadonlyMap<string, Curve>, compared: readonly ComparedRun[]): void {
    this.clear.hidden = compared.length === 0;
    const kinds = CHART_KINDS.filter(({ lines }) => lines.some(({ metric }) => curves.has(metric)));
    const now = kinds.map(({ id }) => id).join(" ");
    // Made anew only when there is more to choose from, so that the keyboard stays where it is.
    if (now === this.offered) return;
    this.offered = now;
    this.choices.replaceChildren(...kinds.map(({ id, title }) => this.choice(id, title)));
  }

  private choice(id: string, title: string): HTMLElement {
    const box = element("input", { type: "checkbox" });
    box.checked = this.view.shown.includes(id);
    box.addEventListener("change", () => {
      const others = this.view.shown.filter((one) => one !== id);
      this.change({ shown: box.checked ? [...others, id] : others });
    });
    return element("label", {}, box, title);
  }

  private change(part: Partial<View>): void {
    this.view = { ...this.view, ...part };
    this.changed(this.view);
  }
}
