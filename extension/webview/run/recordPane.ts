/** With what the run was made, as it was recorded when it began. Read when somebody opens it. */
import type { Fact, PanelMessage } from "../../src/protocol/panel";
import { element } from "../element";
import { factRows } from "./factList";

export class RecordPane {
  readonly root: HTMLDetailsElement;
  private readonly body = element("tbody");
  private readonly empty = element(
    "p",
    { class: "waiting" },
    "Nothing was recorded yet: that is done before the first step.",
  );
  private readonly whole = element("button", { type: "button", class: "secondary" }, "Whole Record");

  constructor(send: (message: PanelMessage) => void) {
    const table = element("table", { "aria-label": "Environment" }, this.body);
    this.whole.addEventListener("click", () => send({ type: "openRecord" }));
    this.root = element(
      "details",
      { class: "record" },
      element("summary", {}, "Environment"),
      this.empty,
      table,
      this.whole,
    );
    this.root.addEventListener("toggle", () => this.root.open && send({ type: "record" }));
    this.show([]);
  }

  show(facts: readonly Fact[]): void {
    this.empty.hidden = facts.length > 0;
    this.whole.hidden = facts.length === 0;
    this.body.replaceChildren(...factRows(facts));
  }
}
