/** A run that rests, at a glance: how far it is, what it had taken when it was paused, and what is left. */
import type { RunSummary } from "../../src/protocol/types";
import { restFacts } from "../../src/runs/describe";
import { element } from "../element";
import { factRows } from "./factList";

export class PausedCard {
  readonly root: HTMLElement;
  private readonly body = element("tbody");

  constructor() {
    const title = element("h2", { id: "paused-title" }, "Paused");
    const table = element("table", {}, this.body);
    this.root = element("section", { class: "paused", "aria-labelledby": "paused-title" }, title, table);
  }

  show(run: RunSummary): void {
    this.root.hidden = run.state !== "paused";
    if (!this.root.hidden) this.body.replaceChildren(...factRows(restFacts(run)));
  }
}
