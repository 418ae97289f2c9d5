/** The run panel's page outside the editor. */
import type { Page } from "@playwright/test";

import type { HostMessage, PanelMessage } from "../../src/protocol/panel";
import type { RunSummary, Series } from "../../src/protocol/types";
import type { RunEvent } from "../../src/protocol/words";
import { type PageOptions, WebviewPage } from "./webviewPage";

export const RUN: RunSummary = {
  id: "release-notes-1",
  name: "release-notes",
  state: "running",
  base: "HuggingFaceTB/SmolLM2-135M-Instruct",
  step: 60,
  total_steps: 120,
  directory: "/runs/release-notes-1",
  config_path: "/project/release-notes.peft.yaml",
  created: "2026-01-01T10:00:00Z",
  updated: "2026-01-01T10:02:00Z",
  metrics: { loss: 1.234, eval_loss: 1.31, learning_rate: 1e-4, tokens_per_second: 812 },
  eta_seconds: 95,
  error: null,
  checkpoint: "checkpoints/step-50",
  adapter: null,
  chat_model: null,
};

type Unnumbered = RunEvent extends infer E ? (E extends RunEvent ? Omit<E, "seq"> : never) : never;

/** What a run says up to a step. */
export function history(steps: number): RunEvent[] {
  const time = (second: number) => new Date(Date.UTC(2026, 0, 1, 10, 0, second)).toISOString();
  const parameters = { trainable_parameters: 4_884_480, total_parameters: 139_399_488 };
  const where = { device: "cpu", dtype: "float32", backend: "transformers" };
  const events: Unnumbered[] = [
    { type: "state", time: time(0), state: "preparing", detail: "loading the model" },
    { type: "plan", time: time(1), total_steps: 120, examples: 480, ...parameters, ...where },
  ];
  for (let step = 1; step <= steps; step++) {
    const at = { time: time(1 + step), step };
    const loss = 1 + 2 * Math.exp(-step / 20);
    const values = { loss, learning_rate: 2e-4 * (1 - step / 120), tokens_per_second: 800 };
    events.push({ type: "metric", ...at, epoch: step / 40, values });
    if (step % 20 === 0) events.push({ type: "evaluation", ...at, values: { loss: loss + 0.1 } });
  }
  return events.map((event, index) => ({ ...event, seq: index + 1 }));
}

export class PanelPage extends WebviewPage<HostMessage, PanelMessage> {
  static async open(page: Page, options: PageOptions = {}): Promise<PanelPage> {
    const panel = new PanelPage(page);
    await panel.load("run", options);
    return panel;
  }

  /** Shows a run from its first event on; with a `history` of null the events follow those already shown. */
  async show(
    run: RunSummary,
    events: RunEvent[],
    options: { history?: readonly Series[] | null; trusted?: boolean } = {},
  ): Promise<void> {
    await this.send({ type: "events", run, events, history: [], trusted: true, ...options });
  }
}
