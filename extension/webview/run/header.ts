/** The top of the panel: which run, how far, and what can be done with it. */
import type { PanelButton, PanelMessage } from "../../src/protocol/panel";
import type { RunSummary } from "../../src/protocol/types";
import { can, isActive } from "../../src/protocol/words";
import { TRUST_IT, whyOff } from "../../src/restricted";
import { durationText, stepText } from "../../src/runs/describe";
import { element } from "../element";

export class Header {
  readonly root: HTMLElement;
  private readonly name = element("h1");
  private readonly state = element("span", { class: "state" });
  private readonly facts = element("p", { class: "facts" });
  private readonly progress = element("progress", { "aria-label": "Progress" });
  private readonly error = element("p", { class: "error", role: "alert" });
  private readonly pause: HTMLButtonElement;
  private readonly resume: HTMLButtonElement;
  private readonly stop: HTMLButtonElement;
  private readonly chat: HTMLButtonElement;

  /** @param tracker the line that says where measurements go */
  constructor(tracker: HTMLElement, send: (message: PanelMessage) => void) {
    const button = (type: PanelButton, label: string, style: string) => {
      const made = element("button", { type: "button", class: style }, label);
      made.addEventListener("click", () => send({ type }));
      return made;
    };
    this.pause = button("pause", "Pause", "secondary");
    this.resume = button("resume", "Resume", "primary");
    this.stop = button("stop", "Stop", "secondary");
    this.chat = button("chat", "Chat", "primary");
    const actions = [
      this.chat,
      this.resume,
      this.pause,
      this.stop,
      button("openConfig", "Config", "secondary"),
      button("revealFolder", "Folder", "secondary"),
    ];
    this.root = element(
      "header",
      {},
      element("div", { class: "title" }, this.name, this.state, element("div", { class: "actions" }, ...actions)),
      this.facts,
      tracker,
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
    this.pause.hidden = !can(run, "pause");
    this.resume.hidden = !can(run, "resume");
    this.resume.disabled = !trusted;
    this.resume.title = trusted ? "" : `${whyOff("Runs")} ${TRUST_IT}`;
    this.stop.hidden = !can(run, "stop");
    this.chat.hidden = run.chat_model === null;
    this.chat.disabled = !trusted;
    this.chat.title = trusted ? "" : `${whyOff("Chats")} ${TRUST_IT}`;
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
  const facts = [run.id, run.base];
  if (run.step > 0) facts.push(`step ${stepText(run)}`);
  // The card of a paused run has the rest.
  if (run.state === "paused") return facts.join(" · ");
  if (typeof run.elapsed_seconds === "number") facts.push(`trained for ${durationText(run.elapsed_seconds)}`);
  if (run.eta_seconds !== null) facts.push(`about ${durationText(run.eta_seconds)} left`);
  if (run.detail) facts.push(run.detail);
  return facts.join(" · ");
}
