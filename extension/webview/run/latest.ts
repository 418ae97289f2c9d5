/** The charts in words: a table of the newest values, and a sentence for screen readers. */
import type { RunSummary } from "../../src/protocol/types";
import { durationText, lossText, stepText } from "../../src/runs/describe";
import { measuredFacts } from "../../src/runs/measured";
import { element } from "../element";
import { factRows } from "./factList";

/** A screen reader that is told more often than this has no time for anything else. */
const SPOKEN_EVERY_MS = 10_000;

export class Latest {
  readonly root: HTMLElement;
  private readonly body = element("tbody");
  private readonly summary = element("p", { class: "visually-hidden", "aria-live": "polite", role: "status" });
  private spokenAt = 0;
  private spokenState = "";

  constructor() {
    const caption = element("h2", { id: "latest-title" }, "Latest values");
    const table = element("table", { "aria-labelledby": "latest-title" }, this.body);
    this.root = element("section", { class: "latest" }, caption, table, this.summary);
  }

  show(run: RunSummary): void {
    const rows = measuredFacts(run.metrics);
    this.body.replaceChildren(...factRows(rows));
    this.root.hidden = rows.length === 0;
    this.speak(run);
  }

  private speak(run: RunSummary): void {
    const now = Date.now();
    if (run.state === this.spokenState && now - this.spokenAt < SPOKEN_EVERY_MS) return;
    this.spokenAt = now;
    this.spokenState = run.state;
    this.summary.textContent = sentence(run);
  }
}

function sentence(run: RunSummary): string {
  const parts = [`${run.name} is ${run.state}`];
  if (run.step > 0) parts.push(`step ${stepText(run).replace("/", " of ")}`);
  if (typeof run.metrics.loss === "number") parts.push(`loss ${lossText(run.metrics.loss)}`);
  if (run.eta_seconds !== null) parts.push(`about ${durationText(run.eta_seconds)} left`);
  return `${parts.join(", ")}.`;
}
