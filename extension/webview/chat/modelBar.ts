/** Whom one talks to: the model, the one it is compared with, and whether they can answer now. */
import { parseId } from "../../src/chat/modelId";
import type { ChatButton, ChatPageState } from "../../src/protocol/chatPanel";
import type { ChatModel, ChatSettings } from "../../src/protocol/types";
import { element } from "../element";
import { modelName } from "./transcript";

const NO_COMPARISON = "";

export class ModelBar {
  readonly root: HTMLElement;
  private readonly title = element("h1");
  private readonly model = element("select", { "aria-label": "Model" });
  private readonly other = element("select", { "aria-label": "Compare with" });
  private readonly state = element("span", { class: "state", role: "status" });
  private readonly progress = element("progress", { "aria-label": "Loading", max: "1" });
  private readonly load: HTMLButtonElement;
  private readonly unload: HTMLButtonElement;
  private readonly rename: HTMLButtonElement;
  private readonly export: HTMLButtonElement;
  private settings: ChatSettings | undefined;

  constructor(
    send: (message: { readonly type: ChatButton }) => void,
    private readonly onSettings: (settings: ChatSettings) => void,
  ) {
    const button = (type: ChatButton, label: string) => {
      const made = element("button", { type: "button", class: "secondary" }, label);
      made.addEventListener("click", () => send({ type }));
      return made;
    };
    this.load = button("load", "Load");
    this.unload = button("unload", "Unload");
    this.rename = button("rename", "Rename");
    this.export = button("export", "Export");
    const talks = element("div", { class: "actions" }, button("new", "New Chat"), button("history", "History"));
    talks.append(this.rename, this.export);
    const with_ = element("label", {}, "Model ", this.model);
    const against = element("label", {}, "Compare with ", this.other);
    this.root = element(
      "header",
      {},
      element("div", { class: "title" }, this.title, talks),
      element("div", { class: "models" }, with_, against, this.state, this.load, this.unload),
      this.progress,
    );
    this.model.addEventListener("change", () => this.choose({ model: this.model.value }));
    this.other.addEventListener("change", () => this.choose({ compare_with: this.other.value || null }));
  }

  show(page: ChatPageState): void {
    const { settings, models, model, title, id, answering, trusted } = page;
    this.settings = settings;
    this.title.textContent = title;
    fill(this.model, settings.model, models, []);
    const nobody = element("option", { value: NO_COMPARISON }, "nothing");
    fill(this.other, settings.compare_with ?? NO_COMPARISON, models, [nobody]);
    this.model.disabled = this.other.disabled = answering;
    this.state.textContent = model.text;
    this.state.dataset.state = model.kind;
    this.progress.hidden = model.kind !== "loading";
    if (model.progress === null) this.progress.removeAttribute("value");
    else this.progress.value = model.progress;
    this.load.hidden = model.kind === "ready" || model.kind === "loading";
    this.load.disabled = !trusted || models.length === 0;
    this.unload.hidden = model.kind !== "ready" && model.kind !== "loading";
    this.unload.textContent = model.kind === "loading" ? "Cancel" : "Unload";
    this.unload.disabled = answering;
    this.rename.hidden = this.export.hidden = id === null;
  }

  private choose(changed: Partial<ChatSettings>): void {
    if (this.settings) this.onSettings({ ...this.settings, ...changed });
  }
}

/** Bases and adapters under headings of their own; a mixture of adapters has no entry until it is chosen. */
function fill(select: HTMLSelectElement, chosen: string, models: readonly ChatModel[], first: HTMLElement[]): void {
  const option = ({ id, label }: Pick<ChatModel, "id" | "label">) => element("option", { value: id }, label);
  const group = (label: string, members: readonly ChatModel[]) =>
    members.length === 0 ? [] : [element("optgroup", { label }, ...members.map(option))];
  const isKnown = models.some(({ id }) => id === chosen) || chosen === NO_COMPARISON;
  const mixture = isKnown || !parseId(chosen, models) ? [] : [option({ id: chosen, label: modelName(chosen, models) })];
  const made = [
    ...first,
    ...mixture,
    ...group(
      "Adapters",
      models.filter(({ id, base }) => id !== base),
    ),
    ...group(
      "Base models",
      models.filter(({ id, base }) => id === base),
    ),
  ];
  // An open list must not be made anew under the pointer.
  const key = JSON.stringify([models.map(({ id, label }) => [id, label]), mixture.length > 0 ? chosen : ""]);
  if (select.dataset.key !== key) {
    select.dataset.key = key;
    select.replaceChildren(...made);
  }
  select.value = chosen;
}
