/** The editor's own chat, as a person uses it. */
import type { Locator } from "@playwright/test";

import { expect, until, type Workbench } from "./harness";

/** On two loaded cores; an idle machine takes a tenth. */
const ANSWER_MS = 8 * 60_000;
const HEARD_MS = 10_000;

/** Of messages and answers; only those on the screen are there. */
const ROW = ".interactive-list .monaco-list-row";

/** Sends a message and waits until its answer is complete. */
export async function say(workbench: Workbench, text: string): Promise<Locator> {
  const { page } = workbench;
  const box = page.locator(".chat-input-container .monaco-editor").first();
  const written = async () => bare((await box.locator(".view-line").allTextContents()).join(""));
  const wanted = bare(text);
  const before = await newestRow(workbench);
  // Letters that are typed while the box is drawn anew, as it is for a name that it knows, are lost on a loaded machine.
  await until(`${text} in the box`, 2 * 60_000, async () => {
    await box.click();
    await page.keyboard.press("Control+KeyA");
    await page.keyboard.type(text);
    // The list of commands would take the Enter.
    await page.keyboard.press("Escape");
    return expect
      .poll(written, { timeout: HEARD_MS })
      .toBe(wanted)
      .then(() => true)
      .catch(() => false);
  });
  // The box is emptied when the message is sent; an Enter that it does not hear leaves the text in it.
  await until(`${text} to be sent`, 2 * 60_000, async () => {
    await page.keyboard.press("Enter");
    return expect
      .poll(written, { timeout: HEARD_MS })
      .not.toBe(wanted)
      .then(() => true)
      .catch(() => false);
  });
  const at = before + 2;
  await until(`the answer to ${text} to begin`, 2 * 60_000, async () => (await newestRow(workbench)) >= at);
  // By its place: the one before it is complete.
  const answer = page.locator(`${ROW}[data-index="${at}"] .interactive-response`);
  await expect(answer).not.toHaveClass(/chat-response-loading/, { timeout: ANSWER_MS });
  await expect(page.locator(".codicon-stop-circle")).toHaveCount(0, { timeout: ANSWER_MS });
  return answer;
}

/** Counted from 0; -1 while there is none. */
function newestRow({ page }: Workbench): Promise<number> {
  return page
    .locator(ROW)
    .evaluateAll((rows) => Math.max(-1, ...rows.map((row) => Number(row.getAttribute("data-index")))));
}

/** A text without its spaces, which the editor draws in another way and at other places. */
function bare(text: string): string {
  return text.replaceAll(/\s/g, "");
}
