/** The run panel's page alone, in the browser, under its own content security policy. */
import fs from "node:fs";
import path from "node:path";

import { expect, type Page, test } from "@playwright/test";

import { runPage } from "../../src/panels/runPage";
import type { HostMessage } from "../../src/protocol/panel";
import type { RunSummary } from "../../src/protocol/types";
import type { RunEvent } from "../../src/protocol/words";

const ORIGIN = "http://panel.test";
const DIST = path.join(__dirname, "../../dist/webview");
const THEMES = {
  dark: {
    "foreground": "#cccccc", "descriptionForeground": "#9d9d9d", "editor-background": "#1f1f1f", "editorWidget-border": "#313131",
    "button-background": "#0078d4", "button-foreground": "#ffffff", "button-secondaryBackground": "#313131", "button-secondaryForeground": "#cccccc",
    "badge-background": "#616161", "badge-foreground": "#f8f8f8", "charts-blue": "#59a4f9", "charts-orange": "#d18616", "charts-purple": "#b180d7",
    "charts-green": "#89d185", "progressBar-background": "#0078d4", "focusBorder": "#0078d4", "font-family": "sans-serif", "font-size": "13px",
    "inputValidation-errorBackground": "#5a1d1d", "inputValidation-errorBorder": "#be1100", "errorForeground": "#f85149", "textBlockQuote-background": "#2b2b2b",
  },
  light: {
    "foreground": "#3b3b3b", "descriptionForeground": "#616161", "editor-background": "#ffffff", "editorWidget-border": "#e5e5e5",
    "button-background": "#005fb8", "button-foreground": "#ffffff", "button-secondaryBackground": "#e5e5e5", "button-secondaryForeground": "#3b3b3b",
    "badge-background": "#cccccc", "badge-foreground": "#3b3b3b", "charts-blue": "#0063d3", "charts-orange": "#b86a00", "charts-purple": "#652d90",
    "charts-green": "#388a34", "progressBar-background": "#005fb8", "focusBorder": "#005fb8", "font-family": "sans-serif", "font-size": "13px",
    "inputValidation-errorBackground": "#f2dede", "inputValidation-errorBorder": "#be1100", "errorForeground": "#f85149", "textBlockQuote-background": "#f8f8f8",
  },
} as const;

const RUN: RunSummary = {
  id: "release-notes-1",
  name: "release-notes",
  state: "running",
  base: "HuggingFaceTB/SmolLM2-135M-Instruct",
  step: 60,
  total_steps: 120,
  directory: "/runs/release-notes-1",
  config_path: "/work/release-notes.peft.yaml",
  created: "2026-01-01T10:00:00Z",
  updated: "2026-01-01T10:02:00Z",
  metrics: { loss: 1.234, eval_loss: 1.31, learning_rate: 1e-4, tokens_per_second: 812, grad_norm: 0.71, tokens: 51_200, memory_bytes: 1.4e9 },
  eta_seconds: 95,
  error: null,
  checkpoint: "checkpoints/step-50",
  adapter: null,
  chat_model: null,
};

const time = (second: number) => new Date(Date.UTC(2026, 0, 1, 10, 0, second)).toISOString();

type Unnumbered = RunEvent extends infer E ? (E extends RunEvent ? Omit<E, "seq"> : never) : never;

function history(steps: number): RunEvent[] {
  const parameters = { trainable_parameters: 4_884_480, total_parameters: 139_399_488 };
  const where = { device: "cpu", dtype: "float32", backend: "transformers" };
  const events: Unnumbered[] = [
    { type: "state", time: time(0), state: "preparing", detail: "loading the model" },
    { type: "plan", time: time(2), total_steps: 120, examples: 480, ...parameters, ...where },
  ];
  for (let step = 1; step <= steps; step++) {
    const at = { time: time(2 + step), step };
    const loss = 1 + 2 * Math.exp(-step / 20);
    const values = { loss: loss + 0.08 * Math.sin(step * 1.7), learning_rate: 2e-4 * (1 - step / 120), tokens_per_second: 800 + 40 * Math.sin(step) };
    events.push({ type: "metric", ...at, epoch: step / 40, values });
    if (step % 20 === 0) events.push({ type: "evaluation", ...at, values: { loss: loss + 0.1 } });
    if (step % 50 === 0) events.push({ type: "checkpoint", ...at, path: `checkpoints/step-${step}`, sha256: "" });
  }
  return events.map((event, index) => ({ ...event, seq: index + 1 }));
}

async function openPanel(page: Page, theme: keyof typeof THEMES): Promise<{ violations: string[] }> {
  const violations: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error") violations.push(message.text());
  });
  const html = runPage({ cspSource: ORIGIN, nonce: "n0nce", scriptUri: `${ORIGIN}/run.js`, styleUri: `${ORIGIN}/run.css` });
  await page.route(`${ORIGIN}/**`, async (route) => {
    const name = path.basename(new URL(route.request().url()).pathname);
    if (name === "panel.html") return route.fulfill({ contentType: "text/html", body: html });
    return route.fulfill({ body: fs.readFileSync(path.join(DIST, name)), contentType: name.endsWith("css") ? "text/css" : "text/javascript" });
  });
  await page.addInitScript((variables) => {
    const sent: unknown[] = [];
    let state: unknown;
    Object.assign(window, { sent, acquireVsCodeApi: () => ({ postMessage: (m: unknown) => sent.push(m), getState: () => state, setState: (s: unknown) => (state = s) }) });
    addEventListener("DOMContentLoaded", () => {
      for (const [name, value] of Object.entries(variables)) document.documentElement.style.setProperty(`--vscode-${name}`, value);
    });
  }, THEMES[theme]);
  await page.goto(`${ORIGIN}/panel.html`);
  return { violations };
}

const send = (page: Page, message: HostMessage | object) => page.evaluate((data) => window.postMessage(data), message);
const sent = (page: Page) => page.evaluate(() => (window as unknown as { sent: unknown[] }).sent);

for (const theme of ["dark", "light"] as const) {
  test(`a run that is going, ${theme}`, async ({ page }) => {
    const { violations } = await openPanel(page, theme);
    await send(page, { type: "events", run: RUN, events: history(60), whole: true, trusted: true });
    await expect(page.locator(".u-wrap canvas")).toHaveCount(3);
    await page.screenshot({ path: `/tmp/pv/${theme}.png` });
    expect(violations).toEqual([]);
    expect(await sent(page)).toEqual([{ type: "ready" }]);
  });
}
