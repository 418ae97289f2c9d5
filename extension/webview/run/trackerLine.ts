/** Where the run's measurements are sent as well, and how far that is. */
import type { RunSummary } from "../../src/protocol/types";
import { trackerName, trackerText } from "../../src/runs/describe";
import { element } from "../element";

export class TrackerLine {
  readonly root: HTMLElement;
  private readonly text = element("span", { role: "status" });
  private readonly link = element("a");

  constructor() {
    this.root = element("p", { class: "tracker" }, this.text, this.link);
    this.root.hidden = true;
  }

  show(run: RunSummary): void {
    const text = `${trackerName(run)}: ${trackerText(run)}`;
    // Said anew only when it is another, so that a screen reader is not kept busy.
    if (this.text.textContent !== text) this.text.textContent = text;
    this.root.hidden = false;
    this.root.classList.toggle("behind", run.tracker?.problem != null);
    const page = run.tracker?.page ?? "";
    // A run that was brought here from elsewhere may name any address.
    this.link.hidden = !/^https?:\/\//.test(page);
    this.link.textContent = `Open in ${trackerName(run)}`;
    if (this.link.hidden) this.link.removeAttribute("href");
    else this.link.href = page;
  }
}
