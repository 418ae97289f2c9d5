/** What a person says about the run: a text, tags, and whether it is kept from cleaning up. Kept when a field is left. */
import type { PanelMessage } from "../../src/protocol/panel";
import type { RunSummary } from "../../src/protocol/types";
import { tagsOf } from "../../src/runs/describe";
import { element } from "../element";

export class NotesPane {
  readonly root: HTMLElement;
  private readonly text = element("textarea", {
    id: "note",
    rows: "3",
    placeholder: "What you tried, and what came of it",
  });
  private readonly tags = element("input", { id: "tags", type: "text", placeholder: "best, for-demo" });
  private readonly pinned = element("input", { type: "checkbox" });

  constructor(send: (message: PanelMessage) => void) {
    this.text.addEventListener("change", () => send({ type: "note", text: this.text.value }));
    this.tags.addEventListener("change", () => send({ type: "tag", tags: tagsOf(this.tags.value) }));
    this.pinned.addEventListener("change", () => send({ type: "pin", pinned: this.pinned.checked }));
    this.root = element(
      "section",
      { class: "notes", "aria-labelledby": "notes-title" },
      element("h2", { id: "notes-title" }, "Notes"),
      element("label", { class: "visually-hidden", for: "note" }, "Note"),
      this.text,
      element("label", { for: "tags" }, "Tags"),
      this.tags,
      element("label", { class: "pin" }, this.pinned, "Pinned: never cleaned up"),
    );
  }

  show({ notes }: RunSummary): void {
    // What somebody is about to write is not theirs to lose because the run went on.
    if (document.activeElement !== this.text) this.text.value = notes?.text ?? "";
    if (document.activeElement !== this.tags) this.tags.value = (notes?.tags ?? []).join(", ");
    this.pinned.checked = notes?.pinned ?? false;
  }
}
