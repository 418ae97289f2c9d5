/** Where prompts are written. Enter sends, Shift+Enter makes a line, Escape stops the answer. */
import type { ChatPageMessage, ChatPageState } from "../../src/protocol/chatPanel";
import { TRUST_IT, whyOff } from "../../src/restricted";
import { element } from "../element";

const WHY_NOT: Record<ChatPageState["model"]["kind"], string> = {
  none: "Load the model first.",
  loading: "The model is being loaded.",
  ready: "",
  error: "Load the model again first.",
};

export class Composer {
  readonly root: HTMLElement;
  private readonly input = element("textarea", {
    rows: "3",
    "aria-label": "Prompt",
    placeholder: "Ask the model. Enter sends, Shift+Enter makes a new line.",
  });
  private readonly sendButton = element("button", { type: "submit", class: "primary" }, "Send");
  private readonly stopButton = element("button", { type: "button", class: "secondary" }, "Stop");
  private readonly selectionButton = element("button", { type: "button", class: "link" }, "Use Selection as Context");
  private readonly chip = element("span", { class: "chip" });
  private readonly dropButton = element(
    "button",
    { type: "button", class: "link", "aria-label": "Drop the context" },
    "×",
  );
  private readonly why = element("span", { class: "why" });
  private readonly context = element("div", { class: "context" }, this.chip, this.dropButton);
  private readonly examples = element("div", { class: "examples", role: "group", "aria-label": "Example prompts" });
  private canSend = false;
  private answering = false;
  private shownExamples = "";

  constructor(
    private readonly send: (message: ChatPageMessage) => void,
    private readonly onDraft: () => void,
  ) {
    const buttons = element(
      "div",
      { class: "buttons" },
      this.selectionButton,
      this.why,
      this.stopButton,
      this.sendButton,
    );
    const form = element("form", { class: "composer" }, this.context, this.input, buttons);
    this.root = element("footer", {}, this.examples, form);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
    this.input.addEventListener("keydown", (event) => {
      // While an input method composes a word, Enter takes the word.
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.submit();
    });
    this.input.addEventListener("input", () => {
      this.update();
      this.onDraft();
    });
    this.stopButton.addEventListener("click", () => send({ type: "stop" }));
    this.selectionButton.addEventListener("click", () => send({ type: "useSelection" }));
    this.dropButton.addEventListener("click", () => send({ type: "dropContext" }));
  }

  get draft(): string {
    return this.input.value;
  }

  set draft(text: string) {
    this.input.value = text;
    this.update();
  }

  focus(): void {
    this.input.focus();
  }

  show({ model, answering, trusted, context, examples, exchanges }: ChatPageState): void {
    this.answering = answering;
    this.canSend = model.kind === "ready" && !answering && trusted;
    this.why.textContent = trusted ? (answering ? "" : WHY_NOT[model.kind]) : `${whyOff("Chats")} ${TRUST_IT}`;
    this.stopButton.hidden = !answering;
    this.context.hidden = context === null;
    this.chip.textContent = context?.label ?? "";
    this.chip.title = context?.text ?? "";
    this.examples.hidden = exchanges.length > 0 || examples.length === 0;
    this.showExamples(examples);
    this.update();
  }

  private showExamples(examples: readonly string[]): void {
    const key = examples.join("\n");
    if (key === this.shownExamples) return;
    this.shownExamples = key;
    this.examples.replaceChildren(
      ...examples.map((text) => {
        const made = element("button", { type: "button", class: "example" }, text);
        made.addEventListener("click", () => {
          this.draft = text;
          this.onDraft();
          this.focus();
        });
        return made;
      }),
    );
  }

  private submit(): void {
    const prompt = this.input.value;
    if (!this.canSend || prompt.trim() === "") return;
    this.send({ type: "ask", prompt });
    this.canSend = false;
    this.draft = "";
    this.onDraft();
  }

  private update(): void {
    this.sendButton.hidden = this.answering;
    this.sendButton.disabled = !this.canSend || this.input.value.trim() === "";
  }
}
