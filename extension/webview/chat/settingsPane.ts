/** How answers are drawn: instructions, sampling, and how strongly each adapter is applied. */
import { adaptersOf, composeId, parseId } from "../../src/chat/modelId";
import type { ChatPageState } from "../../src/protocol/chatPanel";
import type { ChatModel, ChatSettings } from "../../src/protocol/types";
import { element } from "../element";

const LARGEST_SCALE = 2;
const SCALE_STEP = 0.05;

export class SettingsPane {
  readonly root: HTMLElement;
  private readonly system = element("textarea", { rows: "2", placeholder: "None" });
  private readonly temperature = slider(0, 2, 0.05);
  private readonly topP = slider(0.05, 1, 0.05);
  private readonly maxTokens = element("input", { type: "number", min: "1", step: "1" });
  private readonly seed = element("input", { type: "number", min: "0", step: "1", placeholder: "random" });
  private readonly adapters = element("fieldset", { class: "adapters" });
  private settings: ChatSettings | undefined;
  private models: readonly ChatModel[] = [];
  private shownAdapters = "";

  constructor(private readonly onSettings: (settings: ChatSettings) => void) {
    this.root = element(
      "details",
      { class: "settings" },
      element("summary", {}, "Settings"),
      element(
        "div",
        { class: "fields" },
        labelled("Instructions (system prompt)", this.system, "wide"),
        labelled("Temperature", withValue(this.temperature)),
        labelled("Top-p", withValue(this.topP)),
        labelled("Longest answer, in tokens", this.maxTokens),
        labelled("Seed", this.seed),
      ),
      this.adapters,
    );
    this.system.addEventListener("change", () => this.change({ system: this.system.value }));
    this.temperature.addEventListener("change", () => this.change({ temperature: Number(this.temperature.value) }));
    this.topP.addEventListener("change", () => this.change({ top_p: Number(this.topP.value) }));
    this.maxTokens.addEventListener("change", () => {
      if (isWhole(this.maxTokens.value, 1)) this.change({ max_tokens: Number(this.maxTokens.value) });
      else this.restore();
    });
    this.seed.addEventListener("change", () => {
      if (this.seed.value === "") this.change({ seed: null });
      else if (isWhole(this.seed.value, 0) && Number(this.seed.value) < 2 ** 32)
        this.change({ seed: Number(this.seed.value) });
      else this.restore();
    });
  }

  show({ settings, models }: ChatPageState): void {
    this.settings = settings;
    this.models = models;
    this.restore();
    this.showAdapters();
  }

  /** Shows what counts, in place of what was typed and cannot be. */
  private restore(): void {
    if (!this.settings) return;
    const { system = "", temperature, top_p, max_tokens, seed } = this.settings;
    set(this.system, system);
    set(this.temperature, String(temperature));
    set(this.topP, String(top_p));
    set(this.maxTokens, String(max_tokens));
    set(this.seed, typeof seed === "number" ? String(seed) : "");
  }

  private showAdapters(): void {
    const model = this.settings?.model ?? "";
    const chosen = parseId(model, this.models);
    const names = chosen ? adaptersOf(chosen.base, this.models) : [];
    const key = JSON.stringify([model, names]);
    this.adapters.hidden = names.length === 0;
    if (key === this.shownAdapters || this.adapters.contains(document.activeElement)) return;
    this.shownAdapters = key;
    const scaleOf = (name: string) => chosen?.adapters.find((adapter) => adapter.name === name)?.scale ?? 0;
    const sliders = names.map((name) => {
      const input = slider(0, LARGEST_SCALE, SCALE_STEP);
      input.dataset.adapter = name;
      set(input, String(scaleOf(name)));
      input.addEventListener("change", () => this.mix());
      return labelled(name, withValue(input));
    });
    this.adapters.replaceChildren(element("legend", {}, "How strongly each adapter is applied"), ...sliders);
  }

  private mix(): void {
    const base = parseId(this.settings?.model ?? "", this.models)?.base;
    if (base === undefined) return;
    const inputs = [...this.adapters.querySelectorAll("input")];
    const adapters = inputs.map((input) => ({ name: input.dataset.adapter ?? "", scale: Number(input.value) }));
    const model = composeId({ base, adapters });
    this.shownAdapters = JSON.stringify([model, adapters.map(({ name }) => name)]);
    this.change({ model });
  }

  private change(changed: Partial<ChatSettings>): void {
    if (this.settings) this.onSettings({ ...this.settings, ...changed });
  }
}

function slider(min: number, max: number, step: number): HTMLInputElement {
  return element("input", { type: "range", min: String(min), max: String(max), step: String(step) });
}

/** A slider says by itself neither to eyes nor to ears where it stands. */
function withValue(input: HTMLInputElement): HTMLElement {
  const output = element("output");
  const update = () => (output.textContent = Number(input.value).toFixed(2));
  input.addEventListener("input", update);
  input.addEventListener("shown", update);
  update();
  return element("span", { class: "slider" }, input, output);
}

function labelled(label: string, field: HTMLElement, style = ""): HTMLElement {
  return element("label", { class: style }, element("span", {}, label), field);
}

/** What is being typed is not taken away. */
function set(field: HTMLInputElement | HTMLTextAreaElement, value: string): void {
  if (document.activeElement !== field || field.type === "range") field.value = value;
  field.dispatchEvent(new Event("shown"));
}

function isWhole(text: string, least: number): boolean {
  return Number.isSafeInteger(Number(text)) && text.trim() !== "" && Number(text) >= least;
}
