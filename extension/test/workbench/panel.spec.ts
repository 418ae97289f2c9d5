/** The run panel's page alone, in the browser, under its own content security policy. */
import { expect, test } from "@playwright/test";

import { history, PanelPage, RUN } from "./panelPage";
import { LONG_NAME } from "./webviewPage";

const COMPLETED = {
  ...RUN,
  state: "completed",
  step: 120,
  eta_seconds: null,
  chat_model: "base:release-notes-1",
} as const;

const FIRST_LOOK = { shown: ["loss", "learning_rate", "tokens_per_second"], smoothing: 0, compared: [] };

test("it asks for the run, and draws it without breaking its policy", async ({ page }) => {
  const panel = await PanelPage.open(page);
  await expect(page.getByRole("alert")).toHaveText("Loading the run…");
  await panel.show(RUN, history(60));
  await expect(page.locator(".u-wrap:visible canvas")).toHaveCount(3);
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("release-notes");
  await expect(
    page.getByText("release-notes-1 · HuggingFaceTB/SmolLM2-135M-Instruct · step 60/120 · about 1 min 35 s left"),
  ).toBeVisible();
  await expect(page.getByRole("progressbar")).toHaveJSProperty("value", 60);
  expect(await panel.sent()).toEqual([{ type: "ready" }]);
  expect(await panel.state()).toEqual({ runId: RUN.id, ...FIRST_LOOK });
  expect(panel.complaints).toEqual([]);
});

test("events that follow extend the curve; a whole history replaces it", async ({ page }) => {
  const panel = await PanelPage.open(page);
  const loss = page.getByRole("img", { name: /^Loss by step/ });
  await panel.show(RUN, history(10));
  await expect(loss).toHaveAccessibleName("Loss by step, 10 values");
  await panel.show(RUN, history(15).slice(12), { history: null });
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
    ...{ seq: 90, time, id: "a-1", step: 58, key: "training.learning_rate" },
    type: "anomaly",
    kind: "loss-divergence",
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
  await expect(page.getByText("loss 3.2 · training.learning_rate")).toBeVisible();
  await page.getByRole("button", { name: "Halve the learning rate" }).click();
  expect((await panel.sent()).at(-1)).toEqual({ type: "recover", anomaly: "a-1", action: "cut-learning-rate" });

  const change = { key: "training.learning_rate", before: 0.001, after: 0.0005 };
  const done = { id: "r-1", anomaly: "a-1", action: "cut-learning-rate", by: "person", step: 61 } as const;
  await panel.show(RUN, [...history(60), { seq: 91, time, type: "recovery", ...done, changes: [change] }]);
  await expect(page.getByText(anomaly.cause)).toBeHidden();
  await page.getByRole("button", { name: "Undo" }).click();
  expect((await panel.sent()).at(-1)).toEqual({ type: "undo", recovery: "r-1" });
  await panel.show({ ...RUN, state: "completed" }, [], { history: null });
  await expect(page.getByRole("button", { name: "Undo" })).toBeHidden();
  expect(panel.complaints).toEqual([]);
});

test("a paused run is resumed, where the workspace is trusted", async ({ page }) => {
  const panel = await PanelPage.open(page);
  const paused = { ...RUN, state: "paused", elapsed_seconds: 80 } as const;
  await panel.show(paused, history(60));
  const card = page.getByRole("region", { name: "Paused" });
  for (const row of ["Step 60/120", "Trained for 1 min 20 s", "Left about 1 min 35 s", "Last loss 1.234"])
    await expect(card.getByRole("row", { name: row })).toBeVisible();
  await page.getByRole("button", { name: "Resume" }).click();
  expect((await panel.sent()).at(-1)).toEqual({ type: "resume" });
  await panel.show(paused, history(60), { trusted: false });
  await expect(page.getByRole("button", { name: "Resume" })).toBeDisabled();
});

test("how far its tracker is, is said, with the way there", async ({ page }) => {
  const panel = await PanelPage.open(page);
  await panel.show(RUN, history(60));
  await expect(page.getByText("Tracker: off")).toBeHidden();
  await panel.send({ type: "run", run: RUN });
  await expect(page.getByText("Tracker: off")).toBeVisible();
  const link = page.getByRole("link", { name: "Open in MLflow" });
  await expect(link).toBeHidden();
  const tracker = { type: "mlflow", page: "http://127.0.0.1:5000/#/runs/1", complete: false } as const;
  const away = { problem: "The tracker cannot be reached. Start it.", since: RUN.created };
  await panel.send({ type: "run", run: { ...RUN, tracker: { ...tracker, ...away, missing_steps: 12 } } });
  await expect(page.getByText(/^MLflow: behind by 12 steps since .+: The tracker cannot be reached\./)).toBeVisible();
  await expect(link).toHaveAttribute("href", tracker.page);
  // What an event brings is not newer than what the tracker was said to be.
  await panel.show(RUN, history(70).slice(history(60).length), { history: null });
  await page.getByRole("button", { name: "Folder" }).focus();
  await page.keyboard.press("Tab");
  await expect(link).toBeFocused();
  const now = { ...tracker, missing_steps: 0, problem: null, since: null };
  await panel.send({ type: "run", run: { ...RUN, tracker: now } });
  await expect(page.getByText("MLflow: sending")).toBeVisible();
  await panel.send({ type: "run", run: { ...RUN, tracker: { ...now, page: "javascript:alert(1)" } } });
  await expect(link).toBeHidden();
  expect(panel.complaints).toEqual([]);
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

test("the charts that are shown and their smoothness are chosen, and kept over a reload", async ({ page }) => {
  const panel = await PanelPage.open(page);
  const measured = history(60).map((event) =>
    event.type === "metric" ? { ...event, values: { ...event.values, grad_norm: 0.5, memory_bytes: 2e9 } } : event,
  );
  await panel.show(RUN, measured);
  await expect(page.getByLabel("GPU", { exact: true })).toHaveCount(0);
  await page.getByLabel("Gradient norm").check();
  await page.getByLabel("Learning rate", { exact: true }).uncheck();
  await expect(page.getByRole("img", { name: /^Gradient norm by step, 60 values/ })).toBeVisible();
  await expect(page.getByRole("img", { name: /^Learning rate/ })).toBeHidden();
  await page.getByRole("slider", { name: "Smoothing" }).fill("0.9");
  await expect(page.getByText("training, measured")).toBeVisible();
  const shown = ["loss", "tokens_per_second", "grad_norm"];
  expect(await panel.state()).toEqual({ runId: RUN.id, shown, smoothing: 0.9, compared: [] });

  const again = await PanelPage.open(await page.context().newPage(), { kept: await panel.state() });
  await again.show(RUN, measured);
  await expect(again.page.getByRole("checkbox", { name: "Gradient norm" })).toBeChecked();
  await expect(again.page.getByText("training, measured")).toBeVisible();
  expect([...panel.complaints, ...again.complaints]).toEqual([]);
});

test("a stretch that was zoomed into stays while the run goes on", async ({ page }) => {
  const panel = await PanelPage.open(page);
  await panel.show(RUN, history(60));
  const plot = page.locator(".u-over").first();
  await plot.waitFor();
  const box = await plot.boundingBox();
  const at = (share: number) => [(box?.x ?? 0) + share * (box?.width ?? 0), (box?.y ?? 0) + 50] as const;
  await page.mouse.move(...at(0.25));
  await page.mouse.down();
  await page.mouse.move(...at(0.5), { steps: 5 });
  await page.mouse.up();
  const legend = page.locator(".u-legend").first();
  const stepAtTheRight = async () => {
    await page.mouse.move(...at(0.6));
    await page.mouse.move(...at(0.99));
    return Number(/step:?\s*(\d+)/.exec((await legend.textContent()) ?? "")?.[1]);
  };
  await expect.poll(stepAtTheRight).toBeLessThan(40);
  await panel.show(RUN, history(90).slice(history(60).length), { history: null });
  await expect(page.getByRole("img", { name: "Loss by step, 90 values" })).toBeVisible();
  await expect.poll(stepAtTheRight).toBeLessThan(40);
});

test("other runs are drawn beside it", async ({ page }) => {
  const panel = await PanelPage.open(page);
  await panel.show(RUN, history(60));
  await page.getByRole("button", { name: "Compare…" }).click();
  expect((await panel.sent()).at(-1)).toEqual({ type: "compare" });
  const series = [{ metric: "loss", steps: [1, 80], values: [3, 1], total: 80 }];
  await panel.send({ type: "compared", runs: [{ id: "release-notes-0", series }] });
  await expect(page.locator(".u-legend").first()).toContainText("release-notes-0");
  await expect(page.getByRole("img", { name: "Loss by step, 61 values, beside release-notes-0" })).toBeVisible();
  const kept = await panel.state();
  expect(kept).toMatchObject({ compared: ["release-notes-0"] });
  await page.getByRole("button", { name: "Compare with None" }).click();
  expect((await panel.sent()).at(-1)).toEqual({ type: "compareNone" });
  await panel.send({ type: "compared", runs: [] });
  await expect.poll(() => panel.state()).toMatchObject({ compared: [] });

  // What was chosen is not forgotten by a page that was loaded again and has not yet been told.
  const again = await PanelPage.open(await page.context().newPage(), { kept });
  await again.show(RUN, history(60));
  await expect(again.page.getByRole("heading", { name: "release-notes" })).toBeVisible();
  expect(await again.state()).toMatchObject({ compared: ["release-notes-0"] });
});

test("G1 a history of a long run is drawn, and one that has become long is asked for anew", async ({ page }) => {
  const panel = await PanelPage.open(page);
  const steps = Array.from({ length: 2000 }, (_, index) => 500 * (index + 1));
  const series = [{ metric: "loss", steps, values: steps.map((step) => 1 + 1 / step), total: 1_000_000 }];
  const long = { ...RUN, step: 1_000_000, total_steps: 2_000_000 };
  await panel.show(long, [], { history: series });
  await expect(page.getByRole("img", { name: "Loss by step, 2,000 values" })).toBeVisible();
  const time = RUN.created;
  const more = Array.from({ length: 9000 }, (_, index) => ({
    ...{ seq: index + 1, time, type: "metric" as const, step: 1_000_001 + index, epoch: 1, values: { loss: 1 } },
  }));
  await panel.show(long, more, { history: null });
  await panel.show(long, [], { history: null });
  const asked = () => panel.sent().then((messages) => messages.filter(({ type }) => type === "ready").length);
  await expect.poll(asked).toBe(2);
  await panel.show(long, [], { history: series });
  await expect(page.getByRole("img", { name: "Loss by step, 2,000 values" })).toBeVisible();
  expect(await asked()).toBe(2);
});

test("notes are kept when a field is left, and what is being written is not replaced", async ({ page }) => {
  const panel = await PanelPage.open(page);
  await panel.show({ ...RUN, notes: { text: "first", tags: ["a", "b"], pinned: true } }, history(5));
  const note = page.getByRole("textbox", { name: "Note" });
  await expect(note).toHaveValue("first");
  await expect(page.getByLabel("Tags")).toHaveValue("a, b");
  await expect(page.getByLabel("Pinned")).toBeChecked();
  await note.fill("the best so far");
  await panel.show({ ...RUN, notes: { text: "first" } }, [], { history: null });
  await expect(note).toHaveValue("the best so far");
  await page.getByLabel("Tags").fill("best, ,best , for-demo");
  await page.getByLabel("Pinned").check();
  const said = (await panel.sent()).slice(1);
  expect(said).toEqual([
    { type: "note", text: "the best so far" },
    { type: "tag", tags: ["best", "for-demo"] },
    { type: "pin", pinned: true },
  ]);
});

test("the record of the environment is read when it is opened", async ({ page }) => {
  const panel = await PanelPage.open(page);
  await panel.show(RUN, history(5));
  await page.getByText("Environment", { exact: true }).click();
  await expect.poll(async () => (await panel.sent()).at(-1)).toEqual({ type: "record" });
  await panel.send({ type: "record", facts: [] });
  await expect(page.getByText("Nothing was recorded yet")).toBeVisible();
  const whole = page.getByRole("button", { name: "Whole Record" });
  await expect(whole).toBeHidden();
  await panel.send({ type: "record", facts: [["torch", "2.13.0"]] });
  await expect(page.getByRole("row", { name: "torch 2.13.0" })).toBeVisible();
  await expect(page.getByText("Nothing was recorded yet")).toBeHidden();
  await whole.click();
  expect((await panel.sent()).at(-1)).toEqual({ type: "openRecord" });
});

for (const width of [260, 700, 1600]) {
  test(`nothing sticks out at ${width} pixels`, async ({ page }) => {
    await page.setViewportSize({ width, height: 800 });
    const panel = await PanelPage.open(page);
    const series = [{ metric: "loss", steps: [1, 80], values: [3, 1], total: 80 }];
    await panel.send({ type: "compared", runs: [{ id: `${LONG_NAME}-1`, series }] });
    const failed = { state: "failed", error: { code: "disk-full", message: "The disk is full.", remedy: "" } } as const;
    for (const state of [RUN, { ...RUN, ...failed }, COMPLETED]) {
      await panel.show({ ...state, name: LONG_NAME, chat_model: "base:one" }, history(60));
      await expect(page.locator(".u-wrap canvas")).toHaveCount(3);
      const content = await page.evaluate(() => document.documentElement.scrollWidth);
      expect(content).toBeLessThanOrEqual(width);
    }
  });
}
