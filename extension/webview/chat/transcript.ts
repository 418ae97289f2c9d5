/** What was asked and answered. It stays at its end, unless somebody has scrolled up to read. */
import { parseId } from "../../src/chat/modelId";
import type { ShownExchange } from "../../src/chat/talk";
import type { ChatPageMessage, ChatPageState } from "../../src/protocol/chatPanel";
import type { ChatModel } from "../../src/protocol/types";
import { element } from "../element";
import { AnswerView, button } from "./answerView";

interface Shown {
  /** What is shown, so that an exchange that stays as it is is not made anew. */
  readonly key: string;
  readonly root: HTMLElement;
  readonly answers: readonly AnswerView[];
  /** What can be done with the prompt, while no answer is being written. */
  readonly actions: HTMLElement;
}

export class Transcript {
  readonly root = element("section", { class: "transcript", "aria-label": "Conversation", tabindex: "0" });
  private readonly status = element("p", { class: "visually-hidden", role: "status", "aria-live": "polite" });
  private shown: Shown[] = [];

  constructor(private readonly send: (message: ChatPageMessage) => void) {}

  /** Tells screen readers when an answer is complete; piece by piece would drown everything else. */
  get announcer(): HTMLElement {
    return this.status;
  }

  show(state: ChatPageState): void {
    const atEnd = this.isAtEnd();
    const before = this.shown;
    this.shown = state.exchanges.map((exchange, at) => {
      const key = keyOf(exchange, state);
      const same = before[at];
      return same?.key === key ? same : this.exchange(exchange, at, key, state);
    });
    for (const { actions } of this.shown) actions.hidden = state.answering || !state.trusted;
    this.place();
    this.announce(state);
    if (atEnd || state.exchanges.length > before.length) this.toEnd();
  }

  add(at: number, side: number, text: string): void {
    const atEnd = this.isAtEnd();
    this.shown[at]?.answers[side]?.add(text);
    if (atEnd) requestAnimationFrame(() => this.toEnd());
  }

  /** What stays where it is keeps the keyboard, and the text that somebody has selected in it. */
  private place(): void {
    for (const [at, { root }] of this.shown.entries()) {
      const there = this.root.children[at];
      if (!there) this.root.append(root);
      else if (there !== root) there.replaceWith(root);
    }
    while (this.root.childElementCount > this.shown.length) this.root.lastElementChild?.remove();
  }

  private exchange(exchange: ShownExchange, at: number, key: string, { models }: ChatPageState): Shown {
    const answers = exchange.answers.map(
      (answer) => new AnswerView(answer, modelName(answer.model, models), this.send),
    );
    const columns = element("div", { class: "answers" }, ...answers.map(({ root }) => root));
    columns.dataset.columns = String(answers.length);
    const prompt = element("div", { class: "prompt" }, element("p", {}, exchange.prompt));
    if (exchange.context !== null) {
      const summary = element("summary", {}, "About this text");
      prompt.append(element("details", {}, summary, element("pre", {}, exchange.context)));
    }
    const edit = button("Edit", () => this.edit(prompt, edit, exchange.prompt, at));
    const again = button("Answer Again", () => this.send({ type: "regenerate", at }));
    const actions = element("div", { class: "actions" }, edit, again);
    prompt.append(actions);
    return { key, root: element("div", { class: "exchange" }, prompt, columns), answers, actions };
  }

  private edit(prompt: HTMLElement, from: HTMLElement, text: string, at: number): void {
    const input = element("textarea", { rows: "3", "aria-label": "Edit the prompt" });
    input.value = text;
    const form = element("form", { class: "edit" }, input);
    const back = () => {
      form.replaceWith(prompt);
      from.focus();
    };
    const send = () => {
      if (input.value.trim() !== "") this.send({ type: "edit", at, prompt: input.value });
    };
    const submit = element("button", { type: "submit", class: "primary" }, "Send");
    const cancel = element("button", { type: "button", class: "secondary" }, "Cancel");
    form.append(element("div", { class: "actions" }, submit, cancel));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      send();
    });
    cancel.addEventListener("click", back);
    input.addEventListener("keydown", (event) => {
      if (event.key === "Escape") {
        event.stopPropagation();
        back();
      }
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        send();
      }
    });
    prompt.replaceWith(form);
    input.focus();
  }

  private announce({ answering, exchanges }: ChatPageState): void {
    const last = exchanges.at(-1);
    const said = answering ? "The model is answering." : (last?.answers.map(({ text }) => text).join("\n") ?? "");
    if (this.status.textContent !== said) this.status.textContent = said;
  }

  private isAtEnd(): boolean {
    return this.root.scrollHeight - this.root.scrollTop - this.root.clientHeight < 24;
  }

  private toEnd(): void {
    this.root.scrollTop = this.root.scrollHeight;
  }
}

/** What an exchange's elements depend on. The text of an answer in the making is added to them, so it is left out. */
function keyOf({ prompt, context, answers }: ShownExchange, { models }: ChatPageState): string {
  const names = answers.map(({ model }) => modelName(model, models));
  const complete = answers.map((answer) => answer.finish_reason !== null && answer);
  return JSON.stringify([prompt, context, names, complete]);
}

/** A model's name as people know it, with the scale of its adapters where it is not their own. */
export function modelName(id: string, models: readonly ChatModel[]): string {
  const known = models.find((model) => model.id === id);
  if (known) return known.label;
  const parsed = parseId(id, models);
  if (!parsed) return id;
  const base = models.find((model) => model.id === parsed.base)?.label ?? parsed.base;
  return `${parsed.adapters.map(({ name, scale }) => `${name} × ${scale}`).join(" + ")} on ${base}`;
}
