/** The chat panel in the editor, with the real model behind it. */
import type { FrameLocator } from "@playwright/test";

import { type EditorServer, expect, until, Workbench } from "./harness";
import { createProject, FILE, illustrate, test } from "./product";

/** On two loaded cores; an idle machine takes a tenth. */
const ANSWER_MS = 8 * 60_000;

const STORY = "Tell me a very long story.";

function modelServers(editor: EditorServer) {
  return editor.processes().filter(({ args }) => args.includes("peft_engine.inference"));
}

/** Opens the panel, and waits until its model can be asked. */
async function openChat(workbench: Workbench): Promise<FrameLocator> {
  await workbench.runCommand("PEFT: Chat");
  const chat = await workbench.webview("#chat header");
  await expect(chat.locator(".state")).toHaveText("Ready", { timeout: ANSWER_MS });
  return chat;
}

async function setLongest(chat: FrameLocator, tokens: number): Promise<void> {
  const longest = chat.getByLabel("Longest answer");
  if (!(await longest.isVisible())) await chat.getByText("Settings", { exact: true }).click();
  await longest.fill(String(tokens));
}

/** Begins an answer that goes on for as long as it is let. */
async function askForStory(chat: FrameLocator): Promise<void> {
  const input = chat.getByRole("textbox", { name: "Prompt", exact: true });
  await input.fill(STORY);
  await input.press("Enter");
  await expect(chat.locator(".prompt p").last()).toHaveText(STORY);
  for (const text of await chat.locator(".exchange").last().locator(".answer-text").all())
    await expect(text).not.toBeEmpty({ timeout: ANSWER_MS });
}

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
  let chat = await openChat(workbench);
  await expect(workbench.statusBarItem(/SmolLM2-135M-Instruct :\d+/)).toBeVisible();
  await expect(chat.getByRole("group", { name: "Example prompts" }).getByRole("button")).toHaveCount(3);

  await setLongest(chat, 12);
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

  const server = () => until("the model server", 60_000, () => modelServers(editor)[0]);
  await setLongest(chat, 2000);
  await askForStory(chat);
  process.kill((await server()).pid, "SIGKILL");
  await expect(chat.locator(".remark").last()).toHaveText(/ended in the middle of the answer\. Ask again/);
  await expect(chat.locator(".state")).toHaveText("Ready", { timeout: ANSWER_MS });
  await setLongest(chat, 12);
  await ask(chat, "Say hi.");

  process.kill((await server()).pid, "SIGKILL");
  await expect(workbench.statusBarItem("Models: error")).toBeVisible();
  await expect(chat.getByRole("button", { name: "Send" })).toBeDisabled();
});

test("an answer is stopped by a key, outlives a reload in the middle of it, and comes in two windows at once from one model server", async ({
  workbench,
  editor,
}) => {
  test.setTimeout(3 * ANSWER_MS);
  await workbench.open(createProject(editor, "middle"));
  let chat = await openChat(workbench);
  await setLongest(chat, 2000);
  await askForStory(chat);
  await chat.getByRole("textbox", { name: "Prompt", exact: true }).press("Escape");
  await expect(chat.locator(".remark").last()).toHaveText("Stopped.");
  await chat.getByRole("button", { name: "New Chat" }).click();
  await expect(chat.locator(".exchange")).toHaveCount(0);

  await askForStory(chat);
  await workbench.reload();
  chat = await workbench.webview(`#chat header h1:text-is('${STORY}')`);
  await expect(chat.locator(".prompt p")).toHaveText(STORY);
  await expect(chat.locator(".remark")).toHaveText("Stopped.");

  const other = new Workbench(await workbench.page.context().newPage(), editor.url);
  await other.open(createProject(editor, "beside"));
  const second = await openChat(other);
  await expect(chat.locator(".state")).toHaveText("Ready", { timeout: ANSWER_MS });
  for (const one of [chat, second]) await setLongest(one, 60);
  await Promise.all([ask(chat, "Name three colours."), ask(second, "Name three birds.")]);
  for (const one of [chat, second]) await expect(one.locator(".answer-text").last()).not.toBeEmpty();
  expect(modelServers(editor)).toHaveLength(1);
  await other.page.close();
});
