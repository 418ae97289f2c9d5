/** A run as a person watches it in its panel, for the specs that train for real. */
import type { FrameLocator } from "@playwright/test";

import { expect, until, type Workbench } from "./harness";
import { FILE } from "./product";

/** On two loaded cores; an idle machine takes a tenth. */
export const RUN_MS = 15 * 60_000;

/** Starts the run of the sample's config, and returns its panel. */
export async function pressRun(workbench: Workbench): Promise<FrameLocator> {
  await workbench.openFile(FILE);
  await workbench.page.locator(".editor-actions .codicon-play").click();
  return workbench.webview("h1");
}

/** The step that the panel shows, and the number of points in its loss curve. */
export async function progress(panel: FrameLocator): Promise<{ step: number; points: number }> {
  const label = await panel.locator(".plot").first().getAttribute("aria-label", { timeout: RUN_MS });
  const facts = await panel.locator(".facts").textContent();
  return {
    step: Number(/step (\d+)/.exec(facts ?? "")?.[1] ?? 0),
    points: Number(/(\d+) values?/.exec(label ?? "")?.[1] ?? 0),
  };
}

/** Waits for a step beyond the given one, and returns it. */
export function stepAfter(panel: FrameLocator, step: number): Promise<number> {
  return until(`a step after ${step}`, RUN_MS, async () => {
    const now = await progress(panel);
    return now.step > step ? now.step : undefined;
  });
}

/** Every step was logged once, so a curve with as many points as steps has neither gap nor repeat. */
export async function expectWholeCurve(panel: FrameLocator): Promise<void> {
  await expect
    .poll(async () => {
      const { step, points } = await progress(panel);
      return step > 0 && points === step;
    })
    .toBe(true);
}
