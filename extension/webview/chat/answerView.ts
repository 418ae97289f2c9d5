/** One answer: its text as it comes, what went wrong, what it took, and what can be done with it. */
import type { ShownAnswer } from "../../src/chat/talk";
import type { ChatPageMessage } from "../../src/protocol/chatPanel";
import type { AnswerMeasures } from "../../src/protocol/types";
import { counted, memoryText } from "../../src/runs/describe";
import { element } from "../element";
import { GrowingMarkdown } from "./markdown";

export class AnswerView {
  readonly root: HTMLElement;
  private readonly body = element("div", { class: "answer-text" });
  private readonly remark = element("p", { class: "remark" });
  private readonly footer = element("p", { class: "measures" });
  private readonly actions = element("div", { class: "actions" });
  private readonly markdown = new GrowingMarkdown(this.body, (code, text, language) =>
    this.frameCode(code, text, language),
  );
  private text: string;
  private frame: number | undefined;

  constructor(
    answer: ShownAnswer,
    name: string,
    private readonly send: (message: ChatPageMessage) => void,
  ) {
    this.text = answer.text;
    const copy = button("Copy", () => send({ type: "copy", text: this.text }));
    const insert = button("Insert at Cursor", () => send({ type: "insert", text: this.text }));
    this.actions.append(copy, insert);
    const foot = element("div", { class: "answer-foot" }, this.footer, this.actions);
    this.root = element("article", { class: "answer" }, element("h2", {}, name), this.body, this.remark, foot);
    this.root.dataset.state = answer.finish_reason ?? "writing";
    this.draw();
    this.finish(answer);
  }

  add(text: string): void {
    this.text += text;
    this.remark.hidden = true;
    // Many pieces may come between two frames; the text is drawn once.
    this.frame ??= requestAnimationFrame(() => this.draw());
  }

  private draw(): void {
    this.frame = undefined;
    this.markdown.show(this.text);
  }

  private finish({ finish_reason: reason, error, measures }: ShownAnswer): void {
    const waits = reason === null && this.text === "";
    const remarks: Partial<Record<NonNullable<ShownAnswer["finish_reason"]>, string>> = {
      length: "The answer was cut at its length limit.",
      cancelled: "Stopped.",
      error: error ? `${error.message} ${error.remedy}` : "There is no answer.",
    };
    this.remark.textContent = reason === null ? (waits ? "Waiting for the model…" : "") : (remarks[reason] ?? "");
    this.remark.hidden = this.remark.textContent === "";
    if (reason === "error") this.remark.setAttribute("role", "alert");
    this.footer.textContent = measures ? measuresText(measures) : "";
    this.actions.hidden = reason === null || this.text === "";
  }

  private frameCode(code: HTMLElement, text: string, language: string): HTMLElement {
    const bar = element(
      "div",
      { class: "code-bar" },
      element("span", {}, language),
      button("Copy", () => this.send({ type: "copy", text })),
      button("Insert at Cursor", () => this.send({ type: "insert", text })),
    );
    return element("div", { class: "code" }, bar, code);
  }
}

/** `12 tokens · 31.4 tokens/s · first after 0.21 s · 256 MB`, with what was measured. */
export function measuresText(measures: AnswerMeasures): string {
  const { completion_tokens, tokens_per_second, first_token_seconds, queued_seconds, memory_bytes } = measures;
  const parts = [counted(completion_tokens, "token")];
  if (typeof tokens_per_second === "number") parts.push(`${tokens_per_second.toFixed(1)} tokens/s`);
  if (typeof first_token_seconds === "number") parts.push(`first after ${first_token_seconds.toFixed(2)} s`);
  if (typeof queued_seconds === "number" && queued_seconds >= 0.1)
    parts.push(`${queued_seconds.toFixed(1)} s of them queued`);
  if (typeof memory_bytes === "number") parts.push(memoryText(memory_bytes));
  return parts.join(" · ");
}

export function button(label: string, press: () => void): HTMLButtonElement {
  const made = element("button", { type: "button", class: "link" }, label);
  made.addEventListener("click", press);
  return made;
}
