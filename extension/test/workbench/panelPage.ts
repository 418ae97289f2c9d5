/** The run panel's page outside the editor: its HTML, its policy and its bundle are the real ones; the editor's half is played by the test. */
import path from "node:path";

import type { Page } from "@playwright/test";

import { page as pageHtml } from "../../src/panels/page";
import type { HostMessage, PanelMessage } from "../../src/protocol/panel";
import type { RunSummary } from "../../src/protocol/types";
import type { RunEvent } from "../../src/protocol/words";

const ORIGIN = "http://panel.test";
const DIST = path.join(__dirname, "../../dist/webview");

/** A few of the editor's colours, enough to see that they are taken. */
const THEME = {
  foreground: "#cccccc",
  descriptionForeground: "#9d9d9d",
  "editor-background": "#1f1f1f",
  "editorWidget-border": "#313131",
  "charts-blue": "#59a4f9",
  "charts-orange": "#d18616",
  "charts-purple": "#b180d7",
  "charts-green": "#89d185",
  "font-family": "sans-serif",
  "font-size": "13px",
};

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

export class PanelPage {
  /** What the browser refused or what failed in the page. */
  readonly complaints: string[] = [];

  private constructor(readonly page: Page) {
    page.on("console", (message) => message.type() === "error" && this.complaints.push(message.text()));
    page.on("pageerror", (error) => this.complaints.push(String(error)));
  }

  static async open(page: Page): Promise<PanelPage> {
    const panel = new PanelPage(page);
    const parts = {
      name: "run" as const,
      cspSource: ORIGIN,
      nonce: "n0nce",
      scriptUri: `${ORIGIN}/run.js`,
      styleUri: `${ORIGIN}/run.css`,
    };
    await page.route(`${ORIGIN}/**`, (route) => {
      const name = path.basename(new URL(route.request().url()).pathname);
      return name === "panel.html"
        ? route.fulfill({ contentType: "text/html", body: pageHtml(parts) })
        : route.fulfill({ path: path.join(DIST, name) });
    });
    await page.addInitScript(playEditor, THEME);
    await page.goto(`${ORIGIN}/panel.html`);
    return panel;
  }

  async send(message: HostMessage | Record<string, unknown>): Promise<void> {
    await this.page.evaluate((data) => window.postMessage(data), message);
  }

  async show(run: RunSummary, events: RunEvent[], options: { whole?: boolean; trusted?: boolean } = {}): Promise<void> {
    await this.send({ type: "events", run, events, whole: true, trusted: true, ...options });
  }

  sent(): Promise<PanelMessage[]> {
    return this.page.evaluate(() => window.sent);
  }

  state(): Promise<unknown> {
    return this.page.evaluate(() => window.state);
  }
}

declare global {
  interface Window {
    /** What the page told the editor. */
    sent: PanelMessage[];
    /** What the page asked the editor to keep. */
    state: unknown;
  }
}

/** Runs in the page, before it. */
function playEditor(theme: Record<string, string>): void {
  window.sent = [];
  const api = {
    postMessage: (message: PanelMessage) => window.sent.push(message),
    getState: () => window.state,
    setState: (state: unknown) => (window.state = state),
  };
  Object.assign(window, { acquireVsCodeApi: () => api });
  addEventListener("DOMContentLoaded", () => {
    for (const [name, value] of Object.entries(theme))
      document.documentElement.style.setProperty(`--vscode-${name}`, value);
  });
}
