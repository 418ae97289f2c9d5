/** The run panel's page alone, in the browser, under its own content security policy. */
import { expect, test } from "@playwright/test";

import { history, PanelPage, RUN } from "./panelPage";

const COMPLETED = {
  ...RUN,
  state: "completed",
  step: 120,
  eta_seconds: null,
  chat_model: "base:release-notes-1",
} as const;

test("it asks for the run, and draws it without breaking its policy", async ({ page }) => {
  const panel = await PanelPage.open(page);
  await expect(page.getByRole("alert")).toHaveText("Loading the run…");
  await panel.show(RUN, history(60));
  await expect(page.locator(".u-wrap canvas")).toHaveCount(3);
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("release-notes");
  await expect(page.getByText("step 60/120 · about 1 min 35 s left")).toBeVisible();
  await expect(page.getByRole("progressbar")).toHaveJSProperty("value", 60);
  expect(await panel.sent()).toEqual([{ type: "ready" }]);
  expect(await panel.state()).toEqual({ runId: RUN.id });
  expect(panel.complaints).toEqual([]);
});

test("events that follow extend the curve; a whole history replaces it", async ({ page }) => {
  const panel = await PanelPage.open(page);
  const loss = page.getByRole("img", { name: /^Loss by step/ });
  await panel.show(RUN, history(10));
  await expect(loss).toHaveAccessibleName("Loss by step, 10 values");
  await panel.show(RUN, history(15).slice(12), { whole: false });
  await expect(loss).toHaveAccessibleName("Loss by step, 15 values");
  await panel.show(RUN, history(3));
  await expect(loss).toHaveAccessibleName("Loss by step, 3 values");
});

test("before the first step it says what it waits for", async ({ page }) => {
  const panel = await PanelPage.open(page);
  await panel.show(
    { ...RUN, state: "preparing", step: 0, total_steps: null, metrics: {}, eta_seconds: null },
    history(0),
  );
  await expect(page.getByText("The curves begin with the first step.")).toBeVisible();
  await expect(page.getByText("Preparing: loading the model")).toBeVisible();
  await expect(page.getByRole("table")).toBeHidden();
});

test("what the curves show can be read as a table and heard as a sentence", async ({ page }) => {
  const panel = await PanelPage.open(page);
  await panel.show(RUN, history(60));
  await expect(page.getByRole("row", { name: "Evaluation loss 1.310" })).toBeVisible();
  const spoken = "release-notes is running, step 60 of 120, loss 1.234, about 1 min 35 s left.";
  await expect(page.getByRole("status")).toHaveText(spoken);
});

test("everything is reached and pressed with the keyboard", async ({ page }) => {
  const panel = await PanelPage.open(page);
  await panel.show(RUN, history(5));
  for (const name of ["Pause", "Stop", "Config", "Folder"]) {
    await page.keyboard.press("Tab");
    await expect(page.getByRole("button", { name })).toBeFocused();
    await page.keyboard.press("Enter");
  }
  const pressed = (await panel.sent()).map(({ type }) => type);
  expect(pressed).toEqual(["ready", "pause", "stop", "openConfig", "revealFolder"]);
});

test("a completed run is chatted with, where the workspace is trusted", async ({ page }) => {
  const panel = await PanelPage.open(page);
  await panel.show(COMPLETED, history(120));
  await expect(page.getByRole("button", { name: "Stop" })).toBeHidden();
  await page.getByRole("button", { name: "Chat" }).click();
  expect((await panel.sent()).at(-1)).toEqual({ type: "chat" });
  await panel.show(COMPLETED, history(120), { trusted: false });
  await expect(page.getByRole("button", { name: "Chat" })).toBeDisabled();
});

test("what is wrong is said with what can be done, and what was done can be taken back", async ({ page }) => {
  const panel = await PanelPage.open(page);
  const time = RUN.created;
  const anomaly = {
    ...{ seq: 90, time, type: "anomaly", id: "a-1", kind: "loss-divergence", step: 58, key: "training.learning_rate" },
    cause: "The loss rises since step 40: the learning rate is most likely too high.",
    evidence: { loss: 3.2 },
    actions: [
      { action: "cut-learning-rate", title: "Halve the learning rate" },
      { action: "pause", title: "Pause the run" },
    ],
  } as const;
  const wrong = { ...RUN, anomalies: [{ ...anomaly, actions: [...anomaly.actions] }] };
  await panel.show(wrong, history(60));
  await expect(page.getByText(anomaly.cause)).toBeVisible();
  await page.getByRole("button", { name: "Halve the learning rate" }).click();
  expect((await panel.sent()).at(-1)).toEqual({ type: "recover", anomaly: "a-1", action: "cut-learning-rate" });

  const change = { key: "training.learning_rate", before: 0.001, after: 0.0005 };
  const done = { id: "r-1", anomaly: "a-1", action: "cut-learning-rate", by: "person", step: 61 } as const;
  await panel.show(RUN, [...history(60), { seq: 91, time, type: "recovery", ...done, changes: [change] }]);
  await expect(page.getByText(anomaly.cause)).toBeHidden();
  await page.getByRole("button", { name: "Undo" }).click();
  expect((await panel.sent()).at(-1)).toEqual({ type: "undo", recovery: "r-1" });
  await panel.show({ ...RUN, state: "completed" }, [], { whole: false });
  await expect(page.getByRole("button", { name: "Undo" })).toBeHidden();
  expect(panel.complaints).toEqual([]);
});

test("a paused run is resumed, where the workspace is trusted", async ({ page }) => {
  const panel = await PanelPage.open(page);
  const paused = { ...RUN, state: "paused", elapsed_seconds: 80 } as const;
  await panel.show(paused, history(60));
  await expect(page.getByText("step 60/120 · trained for 1 min 20 s · about 1 min 35 s left")).toBeVisible();
  await page.getByRole("button", { name: "Resume" }).click();
  expect((await panel.sent()).at(-1)).toEqual({ type: "resume" });
  await panel.show(paused, history(60), { trusted: false });
  await expect(page.getByRole("button", { name: "Resume" })).toBeDisabled();
});

test("a failure is said in words", async ({ page }) => {
  const panel = await PanelPage.open(page);
  const error = { code: "disk-full", message: "The disk is full.", remedy: "Free some space." } as const;
  await panel.show({ ...RUN, state: "failed", error }, history(5));
  await expect(page.getByText("The disk is full. Free some space.")).toBeVisible();
  await panel.send({ type: "problem", message: "There is no such run.", remedy: "" });
  await expect(page.getByText("There is no such run.")).toBeVisible();
});

test("what a run says is text, and what is not ours is ignored", async ({ page }) => {
  const panel = await PanelPage.open(page);
  const [first] = history(0);
  const log = {
    seq: 2,
    time: first?.time ?? "",
    type: "log",
    level: "info",
    message: "<img src=x onerror=alert(1)>",
  } as const;
  await panel.show({ ...RUN, name: "<b>run</b>" }, [log]);
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("<b>run</b>");
  await expect(page.getByText(log.message)).toBeVisible();
  await panel.send({ type: "events", run: { id: 1 }, events: "all" });
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("<b>run</b>");
  expect(panel.complaints).toEqual([]);
});

for (const width of [320, 700, 1600]) {
  test(`nothing sticks out at ${width} pixels`, async ({ page }) => {
    await page.setViewportSize({ width, height: 800 });
    const panel = await PanelPage.open(page);
    await panel.show(RUN, history(60));
    await expect(page.locator(".u-wrap canvas")).toHaveCount(3);
    const content = await page.evaluate(() => document.documentElement.scrollWidth);
    expect(content).toBeLessThanOrEqual(width);
  });
}
