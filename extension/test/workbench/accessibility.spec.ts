/** The pages of the panels as the axe checker and a keyboard find them, in the colours of each of the editor's own themes. */
import { expect, test } from "@playwright/test";

import type { RunSummary } from "../../src/protocol/types";
import { BASE, ChatPage, exchange, STATE } from "./chatPage";
import { history, PanelPage, RUN } from "./panelPage";
import { type ThemeName, THEMES } from "./webviewPage";

const THEME_NAMES = Object.keys(THEMES) as ThemeName[];
const ERROR = { code: "disk-full", message: "The disk is full.", remedy: "Free some space." } as const;
const ANOMALY: NonNullable<RunSummary["anomalies"]>[number] = {
  ...{ seq: 90, time: RUN.created, id: "a-1", kind: "loss-divergence", step: 58, key: "training.learning_rate" },
  type: "anomaly",
  cause: "The loss rises since step 40.",
  evidence: { loss: 3.2 },
  actions: [{ action: "cut-learning-rate", title: "Halve the learning rate" }],
};
const TRACKER: NonNullable<RunSummary["tracker"]> = {
  ...{ type: "mlflow", page: "http://127.0.0.1:5000/#/runs/1", complete: false, missing_steps: 12 },
  problem: "The tracker cannot be reached. Start it.",
  since: RUN.created,
};
const ANSWER =
  "Like **this**, see [there](https://example.test):\n\n> said\n\n```python\nprint('hi')\n```\n\n| a | b |\n|---|---|\n| `1` | 2 |\n";

for (const theme of THEME_NAMES) {
  test(`a run has no barriers in the ${theme} theme`, async ({ page }) => {
    const panel = await PanelPage.open(page, { theme });
    await panel.show({ ...RUN, anomalies: [ANOMALY] }, history(60));
    await page.getByText("Environment", { exact: true }).click();
    await panel.send({ type: "record", facts: [["torch", "2.13.0"]] });
    await expect(page.locator(".u-wrap canvas")).toHaveCount(3);
    expect(await panel.barriers()).toEqual([]);
    await panel.send({ type: "run", run: { ...RUN, tracker: TRACKER } });
    expect(await panel.barriers()).toEqual([]);
    await panel.send({ type: "run", run: { ...RUN, tracker: { ...TRACKER, problem: null, since: null } } });
    expect(await panel.barriers()).toEqual([]);
    for (const state of ["paused", "completed"] as const) {
      await panel.show({ ...RUN, state, chat_model: "base:release-notes-1" }, history(60));
      expect(await panel.barriers()).toEqual([]);
    }
    await panel.show({ ...RUN, state: "failed", error: ERROR }, history(5));
    await panel.send({ type: "problem", message: "There is no such run.", remedy: "" });
    expect(await panel.barriers()).toEqual([]);
  });

  test(`a chat has no barriers in the ${theme} theme`, async ({ page }) => {
    const chat = await ChatPage.open(page, { theme });
    const context = { label: "a.py", text: "x = 1" };
    await chat.show({ context });
    await page.getByText("Settings", { exact: true }).click();
    await page.getByRole("textbox", { name: "Prompt", exact: true }).fill("How?");
    expect(await chat.barriers()).toEqual([]);
    const error = { code: "serve-failed" as const, message: "The model ended.", remedy: "Ask again." };
    const failed = { model: BASE, finish_reason: "error" as const, error };
    const exchanges = [exchange("How?", { text: ANSWER }, failed), exchange("And?", { finish_reason: null })];
    await chat.show({ id: "c", exchanges, answering: true, settings: { ...STATE.settings, compare_with: BASE } });
    await chat.send({ type: "problem", message: "Nothing is selected.", remedy: "Select something." });
    expect(await chat.barriers()).toEqual([]);
    await chat.show({ exchanges, model: { kind: "error", text: "It ended.", progress: null }, trusted: false });
    expect(await chat.barriers()).toEqual([]);
  });
}

test("where a theme has no backgrounds, a border tells a state from text", async ({ page }) => {
  const panel = await PanelPage.open(page, { theme: "high contrast" });
  await panel.show(RUN, history(5));
  await expect(page.locator(".state")).not.toHaveCSS("border-top-color", "rgba(0, 0, 0, 0)");
});

for (const theme of THEME_NAMES) {
  test(`how far a run is, and where a slider stands, is seen in the ${theme} theme`, async ({ page }) => {
    const panel = await PanelPage.open(page, { theme });
    await panel.show(RUN, history(60));
    const [bar, slider] = [page.locator("progress"), page.getByRole("slider", { name: "Smoothing" })];
    const drawn = await page.evaluate(() => {
      const probe = document.createElement("i");
      document.body.append(probe);
      probe.style.color = "var(--vscode-progressBar-background)";
      probe.style.backgroundColor = "var(--vscode-editor-background)";
      const { color, backgroundColor } = getComputedStyle(probe);
      return { color, backgroundColor };
    });
    await expect(bar).not.toHaveCSS("background-color", drawn.color);
    await expect(slider).not.toHaveCSS("accent-color", drawn.backgroundColor);
  });
}
