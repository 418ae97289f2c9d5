/** What is wrong with the run and what can be done about it; and what was done, which can be taken back. */
import type { PanelMessage } from "../../src/protocol/panel";
import type { RunSummary } from "../../src/protocol/types";
import { type Anomaly, isActive } from "../../src/protocol/words";
import { evidenceText } from "../../src/runs/describe";
import { element } from "../element";
import type { Recovery } from "./model";

export class Watch {
  readonly root = element("section", { class: "watch", "aria-label": "What is wrong, and what was done about it" });
  /** What is shown, so that a button that somebody is about to press is not made anew at every step. */
  private shown = "";

  constructor(private readonly send: (message: PanelMessage) => void) {
    this.root.hidden = true;
  }

  show(run: RunSummary, recoveries: readonly Recovery[]): void {
    const anomalies = run.anomalies ?? [];
    const active = isActive(run);
    const now = JSON.stringify([anomalies.map(({ id }) => id), recoveries.map(({ id }) => id), active]);
    if (now === this.shown) return;
    this.shown = now;
    this.root.hidden = anomalies.length + recoveries.length === 0;
    this.root.replaceChildren(
      ...anomalies.map((anomaly) => this.anomaly(anomaly, active)),
      ...recoveries.map((recovery) => this.recovery(recovery, active)),
    );
  }

  private anomaly({ id, step, cause, key, evidence, actions }: Anomaly, active: boolean): HTMLElement {
    const buttons = active
      ? actions.map(({ action, title }) => this.button(title, { type: "recover", anomaly: id, action }))
      : [];
    const measured = evidenceText(evidence);
    const look = key === null ? [] : [element("code", {}, key)];
    const text = element("p", {}, `Step ${step}: ${cause}`);
    text.append(element("span", { class: "evidence" }, measured, measured && look.length > 0 ? " · " : "", ...look));
    return element("div", { class: "anomaly", role: "alert" }, text, element("div", { class: "choices" }, ...buttons));
  }

  private recovery({ id, text }: Recovery, active: boolean): HTMLElement {
    const undo = active ? [this.button("Undo", { type: "undo", recovery: id })] : [];
    return element("div", { class: "recovery" }, element("p", {}, text), ...undo);
  }

  private button(label: string, message: PanelMessage): HTMLButtonElement {
    const made = element("button", { type: "button", class: "secondary" }, label);
    made.addEventListener("click", () => this.send(message));
    return made;
  }
}
