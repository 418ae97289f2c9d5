/** The chat panel in the editor, with the real model behind it. */
import type { FrameLocator } from "@playwright/test";

import { expect, until } from "./harness";
import { createProject, FILE, illustrate, test } from "./product";

/** On two loaded cores; an idle machine takes a tenth. */
const ANSWER_MS = 8 * 60_000;

async function ask(chat: FrameLocator, prompt: string): Promise<void> {
  const input = chat.getByRole("textbox", { name: "Prompt", exact: true });
  await input.fill(prompt);
  await input.press("Enter");
  await expect(chat.locator(".prompt p").last()).toHaveText(prompt);
  await expect(chat.getByRole("button", { name: "Send" })).toBeVisible({ timeout: ANSWER_MS });
  for (const measures of await chat.locator(".exchange").last().locator(".measures").all())
    await expect(measures).toContainText("tokens/s");
}

test("a model is loaded, asked about a selection, compared, kept over a reload, and missed when it is killed", async ({
  workbench,
  editor,
}) => {
  test.setTimeout(3 * ANSWER_MS);
  const { page } = workbench;
  await workbench.open(createProject(editor, "chat"));
  await workbench.openFile(FILE);
  await workbench.runCommand("PEFT: Chat");
  let chat = await workbench.webview("#chat header");
  await expect(chat.locator(".state")).toHaveText("Ready", { timeout: ANSWER_MS });
  await expect(workbench.statusBarItem(/SmolLM2-135M-Instruct :\d+/)).toBeVisible();
  await expect(chat.getByRole("group", { name: "Example prompts" }).getByRole("button")).toHaveCount(3);

  await chat.getByText("Settings", { exact: true }).click();
  await chat.getByLabel("Longest answer").fill("12");
  await chat.getByLabel("Compare with").selectOption({ index: 1 });
  await chat.getByRole("button", { name: "Use Selection as Context" }).click();
  await expect(chat.getByRole("alert").first()).toHaveText(/Nothing is selected/);
  await page.locator(".editor-instance .view-line").first().click();
  await page.keyboard.press("Control+Home");
  await page.keyboard.press("Shift+End");
  await chat.getByRole("button", { name: "Use Selection as Context" }).click();
  await expect(chat.locator(".chip")).toHaveText(`${FILE}, line 1`);
  await ask(chat, "What is this?");
  await expect(chat.locator(".exchange pre").first()).toContainText("The support desk in small");
  // Both sides are the same model here: one prompt and one seed make one answer.
  const texts = await chat.locator(".answer-text").allTextContents();
  expect(texts).toHaveLength(2);
  expect(texts[0]?.trim()).not.toBe("");
  expect(texts[1]).toBe(texts[0]);
  await illustrate(page, "chat-panel");

  await chat.locator(".answer-foot").first().getByRole("button", { name: "Insert at Cursor" }).click();
  await expect
    .poll(async () => (await workbench.visibleText()).join("\n"))
    .not.toContain("# The support desk in small");
  await page.keyboard.press("Control+KeyZ");
  await workbench.save();

  await workbench.reload();
  chat = await workbench.webview("#chat header h1:text-is('What is this?')");
  await expect(chat.locator(".answer-text").first()).toHaveText(texts[0]?.trim() ?? "");

  const server = () =>
    until("the model server", 60_000, () =>
      editor.processes().find(({ args }) => args.includes("peft_engine.inference")),
    );
  await chat.getByText("Settings", { exact: true }).click();
  await chat.getByLabel("Longest answer").fill("2000");
  const input = chat.getByRole("textbox", { name: "Prompt", exact: true });
  await input.fill("Tell me a very long story.");
  await input.press("Enter");
  await expect(chat.locator(".prompt p").last()).toHaveText("Tell me a very long story.");
  const story = chat.locator(".exchange").last().locator(".answer-text");
  await expect(story.first()).not.toBeEmpty({ timeout: ANSWER_MS });
  await expect(story.last()).not.toBeEmpty({ timeout: ANSWER_MS });
  process.kill((await server()).pid, "SIGKILL");
  await expect(chat.locator(".remark").last()).toHaveText(/ended in the middle of the answer\. Ask again/);
  await expect(chat.locator(".state")).toHaveText("Ready", { timeout: ANSWER_MS });
  await chat.getByLabel("Longest answer").fill("12");
  await ask(chat, "Say hi.");

  process.kill((await server()).pid, "SIGKILL");
  await expect(workbench.statusBarItem("Models: error")).toBeVisible();
  await expect(chat.getByRole("button", { name: "Send" })).toBeDisabled();
});
