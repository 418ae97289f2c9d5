/** The top of the panel: which run, how far, and what can be done with it. */
import type { PanelMessage } from "../../src/protocol/panel";
import type { RunSummary } from "../../src/protocol/types";
import { isActive } from "../../src/protocol/words";
import { durationText, stepText } from "../../src/runs/describe";
import { element } from "./element";

export class Header {
  readonly root: HTMLElement;
  private readonly name = element("h1");
  private readonly state = element("span", { class: "state" });
  private readonly facts = element("p", { class: "facts" });
  private readonly progress = element("progress", { "aria-label": "Progress" });
  private readonly error = element("p", { class: "error", role: "alert" });
  private readonly stop: HTMLButtonElement;
  private readonly chat: HTMLButtonElement;

  constructor(send: (message: PanelMessage) => void) {
    const button = (type: PanelMessage["type"], label: string, style: string) => {
      const made = element("button", { type: "button", class: style }, label);
      made.addEventListener("click", () => send({ type }));
      return made;
    };
    this.stop = button("stop", "Stop", "secondary");
    this.chat = button("chat", "Chat", "primary");
    const actions = [
      this.chat,
      this.stop,
      button("openConfig", "Config", "secondary"),
      button("revealFolder", "Folder", "secondary"),
    ];
    this.root = element(
      "header",
      {},
      element("div", { class: "title" }, this.name, this.state, element("div", { class: "actions" }, ...actions)),
      this.facts,
      this.progress,
      this.error,
    );
  }

  show(run: RunSummary, trusted: boolean): void {
    this.name.textContent = run.name;
    this.state.textContent = run.state;
    this.state.dataset.state = run.state;
    this.facts.textContent = factsOf(run);
    this.showProgress(run);
    this.error.textContent = run.error ? `${run.error.message} ${run.error.remedy}` : "";
    this.error.hidden = run.error === null;
    this.stop.hidden = !isActive(run);
    this.stop.disabled = run.state === "stopping";
    this.chat.hidden = run.chat_model === null;
    this.chat.disabled = !trusted;
    this.chat.title = trusted ? "" : "Chats are off in Restricted Mode";
  }

  private showProgress(run: RunSummary): void {
    this.progress.hidden = !isActive(run) && run.step === 0;
    if (run.total_steps === null) {
      this.progress.removeAttribute("value");
    } else {
      this.progress.max = run.total_steps;
      this.progress.value = run.step;
    }
  }
}

function factsOf(run: RunSummary): string {
  const facts = [run.base];
  if (run.step > 0) facts.push(`step ${stepText(run)}`);
  if (run.eta_seconds !== null) facts.push(`about ${durationText(run.eta_seconds)} left`);
  return facts.join(" · ");
}
