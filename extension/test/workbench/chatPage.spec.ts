/** The chat panel's page alone, in the browser, under its own content security policy. */
import { expect, test } from "@playwright/test";

import { BASE, ChatPage, exchange, STATE, TUNED } from "./chatPage";
import { LONG_NAME } from "./webviewPage";

const MEASURES = {
  prompt_tokens: 20,
  completion_tokens: 31,
  first_token_seconds: 0.214,
  tokens_per_second: 27.35,
  queued_seconds: 0,
  memory_bytes: 3e8,
};

test("it asks for the chat, and sends a prompt only when the model is ready", async ({ page }) => {
  const chat = await ChatPage.open(page);
  await expect(page.getByRole("alert")).toHaveText("Loading the chat…");
  const send = page.getByRole("button", { name: "Send" });
  const prompt = page.getByRole("textbox", { name: "Prompt" });
  const states = [
    { kind: "none", text: "Not loaded", progress: null },
    { kind: "loading", text: "Loading the model… 40 %", progress: 0.4 },
    { kind: "error", text: "It ended. Load it again.", progress: null },
  ] as const;
  for (const model of states) {
    await chat.show({ model });
    await prompt.fill("Hello?");
    await expect(page.getByText(model.text, { exact: true })).toBeVisible();
    await expect(send).toBeDisabled();
    await prompt.press("Enter");
  }
  expect(await chat.said()).toEqual([]);
  await chat.show();
  await expect(send).toBeEnabled();
  await prompt.press("Shift+Enter");
  await prompt.press("Enter");
  expect(await chat.said()).toEqual([{ type: "ask", prompt: "Hello?\n" }]);
  await expect(prompt).toHaveValue("");
  expect(chat.complaints).toEqual([]);
});

test("an answer is drawn as it comes, with its code, and says at its end what it took", async ({ page }) => {
  const chat = await ChatPage.open(page);
  await chat.show({ exchanges: [exchange("How?", { finish_reason: null })], answering: true });
  await expect(page.getByText("Waiting for the model…")).toBeVisible();
  for (const text of ["Like **this**:\n\n", "```python\n", "print('hi')\n", "```\n"])
    await chat.send({ type: "text", at: 0, side: 0, text });
  await expect(page.locator("strong")).toHaveText("this");
  await expect(page.locator("pre code")).toHaveText("print('hi')\n");
  const text = "Like **this**:\n\n```python\nprint('hi')\n```\n";
  await chat.show({ exchanges: [exchange("How?", { text, measures: MEASURES })] });
  await expect(page.locator(".measures")).toHaveText("31 tokens · 27.4 tokens/s · first after 0.21 s · 286 MiB");
  const code = page.locator(".code");
  await code.getByRole("button", { name: "Insert at Cursor" }).click();
  await code.getByRole("button", { name: "Copy" }).click();
  await page.locator(".answer-foot").getByRole("button", { name: "Copy" }).click();
  expect(await chat.said()).toEqual([
    { type: "insert", text: "print('hi')\n" },
    { type: "copy", text: "print('hi')\n" },
    { type: "copy", text },
  ]);
  expect(chat.complaints).toEqual([]);
});

const GROWING = `# Title

One *two*
three
- a
- b

  still b
1. x

2. y

\`\`\`python
def f():

    return 1
\`\`\`
| a | b |
|---|---|
| 1 | 2 |

> said
twice

Heading
===

[there], and https://example.test.

    indented

[there]: https://example.test
***
Last`;

test("an answer that grows letter by letter is what it is as a whole, whatever ends a line", async ({ page }) => {
  const chat = await ChatPage.open(page);
  const drawn = () => page.locator(".answer-text").innerHTML();
  for (const text of [GROWING, GROWING.replaceAll("\n", "\r\n"), GROWING.replaceAll("\n", "\r")]) {
    await chat.show({ exchanges: [exchange("How?", { text })] });
    await expect(page.locator(".answer-text")).toContainText("Last");
    const whole = await drawn();
    await chat.show({ exchanges: [exchange("Grow.", { finish_reason: null })], answering: true });
    // Each letter has a frame of its own.
    await page.evaluate(
      async (letters) => {
        for (const letter of letters) {
          window.postMessage({ type: "text", at: 0, side: 0, text: letter });
          await new Promise(requestAnimationFrame);
        }
      },
      text.match(/[^]/g) ?? [],
    );
    // What a name stands for is known only when it was said.
    await expect.poll(drawn).toBe(whole.replace(/<a href=[^>]*>there<\/a>/, "[there]"));
    await chat.show({ exchanges: [exchange("Grow.", { text })] });
    await expect.poll(drawn).toBe(whole);
  }
});

test("what is selected or reached in an answer stays so while the answer grows", async ({ page }) => {
  const chat = await ChatPage.open(page);
  const write = (text: string) => chat.send({ type: "text", at: 0, side: 0, text });
  await chat.show({ exchanges: [exchange("How?", { finish_reason: null })], answering: true });
  await write("First.\n\n```\ncode\n```\n\n");
  const copy = page.locator(".code").getByRole("button", { name: "Copy" });
  await copy.focus();
  await page.locator(".answer-text p").first().selectText();
  for (const text of ["Then ", "more", ".\n\n- one\n", "- two"]) await write(text);
  await expect(page.locator(".answer-text li")).toHaveText(["one", "two"]);
  await expect(copy).toBeFocused();
  expect(await page.evaluate(() => String(getSelection()))).toBe("First.");
});

test("what a model writes can load nothing and run nothing", async ({ page }) => {
  const chat = await ChatPage.open(page);
  const requests: string[] = [];
  page.on("request", (request) => requests.push(request.url()));
  const text = [
    '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>',
    "![a picture](https://evil.test/pixel.png?secret) and ![](javascript:window.hacked=1)",
    "[click](javascript:window.hacked=1) [run](command:workbench.action.quit) [file](file:///etc/passwd)",
    "[data](data:text/html;base64,AAAA) [web](https://example.test/page)",
    "<style>body{display:none}</style>",
    "<https://auto.test/> <javascript:window.hacked=1>",
  ].join("\n\n");
  await chat.show({ exchanges: [exchange("<b>bold?</b>", { text })] });
  await expect(page.getByText("<b>bold?</b>")).toBeVisible();
  await expect(page.locator(".picture").first()).toHaveText("a picture");
  await expect(page.locator(".answer img, .answer script, .answer style")).toHaveCount(0);
  const targets = await page
    .locator(".answer a")
    .evaluateAll((links) => links.map((link) => link.getAttribute("href")));
  expect(targets).toEqual(["https://example.test/page", "https://auto.test/"]);
  expect(await page.evaluate(() => "hacked" in window)).toBe(false);
  expect(requests).toEqual([]);
});

test("I10 two answers stand side by side, an error on the side that it is on", async ({ page }) => {
  const chat = await ChatPage.open(page);
  const error = { code: "serve-failed" as const, message: "The model ended.", remedy: "Ask again." };
  await chat.show({
    settings: { ...STATE.settings, compare_with: BASE },
    exchanges: [exchange("Same?", { text: "Tuned." }, { model: BASE, text: "", finish_reason: "error", error })],
  });
  const [left, right] = [page.locator(".answer").nth(0), page.locator(".answer").nth(1)];
  await expect(left).toContainText("release-notes-1");
  await expect(left).toContainText("Tuned.");
  await expect(right).toContainText("The model ended. Ask again.");
  const [first, second] = [await left.boundingBox(), await right.boundingBox()];
  expect(second?.y).toBe(first?.y);
  expect(second?.x).toBeGreaterThan((first?.x ?? 0) + (first?.width ?? 0) - 1);
  await expect(page.getByLabel("Compare with")).toHaveValue(BASE);
});

test("model, comparison, sampling and the scale of adapters are chosen", async ({ page }) => {
  const chat = await ChatPage.open(page);
  await chat.show();
  await page.getByLabel("Model", { exact: true }).selectOption(BASE);
  await page.getByLabel("Compare with").selectOption(TUNED);
  await page.getByText("Settings").click();
  await page.getByLabel("Seed").fill("7");
  await page.getByLabel("Seed").press("Enter");
  await page.getByLabel("Longest answer").fill("-3");
  await page.getByLabel("Longest answer").press("Enter");
  await expect(page.getByText("0.70")).toBeVisible();
  const scale = page.getByRole("slider", { name: "release-notes-1" });
  await expect(scale).toHaveValue("1");
  await expect(page.locator(".adapters output")).toHaveText(["1.00", "0.00"]);
  await scale.fill("0.5");
  await page.getByRole("slider", { name: "house-style-2" }).fill("1");
  const chosen = (await chat.said()).map((message) => (message.type === "settings" ? message.settings : message));
  expect(chosen).toEqual([
    { ...STATE.settings, model: BASE },
    { ...STATE.settings, compare_with: TUNED },
    { ...STATE.settings, seed: 7 },
    { ...STATE.settings, model: `${TUNED}@0.5` },
    { ...STATE.settings, model: `${TUNED}@0.5+house-style-2` },
  ]);
  await chat.show({ settings: { ...STATE.settings, model: `${TUNED}@0.5+house-style-2` } });
  await expect(page.getByLabel("Model", { exact: true })).toHaveValue(`${TUNED}@0.5+house-style-2`);
});

test("a prompt is edited and answered again, and an answer is stopped by a key", async ({ page }) => {
  const chat = await ChatPage.open(page);
  await chat.show({ exchanges: [exchange("One?", { text: "Yes." })] });
  await page.getByRole("button", { name: "Answer Again" }).click();
  await page.getByRole("button", { name: "Edit" }).click();
  await page.getByRole("textbox", { name: "Edit the prompt" }).fill("Two?");
  await page.keyboard.press("Enter");
  await chat.show({ exchanges: [exchange("Two?", { finish_reason: null })], answering: true });
  await expect(page.getByRole("button", { name: "Edit" })).toBeHidden();
  await page.keyboard.press("Escape");
  expect(await chat.said()).toEqual([
    { type: "regenerate", at: 0 },
    { type: "edit", at: 0, prompt: "Two?" },
    { type: "stop" },
  ]);
});

test("what is being edited, and where the keyboard is, outlive what the editor says of the model", async ({ page }) => {
  const chat = await ChatPage.open(page);
  const exchanges = [exchange("One?", { text: "Yes." }), exchange("Two?", { text: "No." })];
  await chat.show({ exchanges });
  const edit = page.getByRole("button", { name: "Edit" }).first();
  await edit.click();
  const input = page.getByRole("textbox", { name: "Edit the prompt" });
  await input.fill("Three?");
  const another = { ...STATE.models[0], id: "other", label: "other", base: "other" } as (typeof STATE.models)[number];
  for (const models of [STATE.models, [...STATE.models, another]]) {
    await chat.show({ exchanges, models, model: { kind: "none", text: "Not loaded", progress: null } });
    await expect(page.getByText("Not loaded")).toBeVisible();
    await chat.show({ exchanges, models });
    await expect(page.getByText("Ready")).toBeVisible();
    await expect(input).toBeFocused();
    await expect(input).toHaveValue("Three?");
  }
  await page.keyboard.press("Escape");
  await expect(edit).toBeFocused();
  await chat.show({ exchanges: [exchange("One?", { text: "Yes." })] });
  await expect(page.locator(".exchange")).toHaveCount(1);
  await expect(edit).toBeFocused();
});

test("an example begins a chat, and what was typed outlives a reload", async ({ page }) => {
  const chat = await ChatPage.open(page);
  await chat.show();
  await page.getByRole("button", { name: "List the three decisions." }).click();
  await expect(page.getByRole("textbox", { name: "Prompt" })).toBeFocused();
  const kept = await chat.state();
  expect(kept).toEqual({ id: null, settings: STATE.settings, draft: "List the three decisions." });
  const again = await ChatPage.open(await page.context().newPage(), { kept });
  await again.show();
  await expect(again.page.getByRole("textbox", { name: "Prompt" })).toHaveValue("List the three decisions.");
});

test("the keyboard reaches everything in the order in which it is read, and screen readers hear the end", async ({
  page,
}) => {
  const chat = await ChatPage.open(page);
  await chat.show({ exchanges: [exchange("One?", { text: "Yes." })], id: "c", context: { label: "a.py", text: "x" } });
  await page.getByRole("button", { name: "New Chat" }).focus();
  const names: string[] = [];
  for (let tab = 0; tab < 16; tab++) {
    names.push(
      await page.evaluate(() => {
        const now = document.activeElement;
        return now?.getAttribute("aria-label") ?? now?.textContent.trim() ?? "";
      }),
    );
    await page.keyboard.press("Tab");
  }
  const expected = [
    ...["New Chat", "History", "Rename", "Export", "Model", "Compare with", "Unload", "Settings", "Conversation"],
    ...["Edit", "Answer Again", "Copy", "Insert at Cursor", "Drop the context", "Prompt", "Use Selection as Context"],
  ];
  expect(names).toEqual(expected);
  await expect(page.locator("[aria-live=polite]")).toHaveText("Yes.");
});

test("in Restricted Mode nothing can be asked", async ({ page }) => {
  const chat = await ChatPage.open(page);
  await chat.show({ trusted: false, model: { kind: "none", text: "Not loaded", progress: null } });
  await page.getByRole("textbox", { name: "Prompt" }).fill("Hello?");
  await expect(page.getByRole("button", { name: "Send" })).toBeDisabled();
  await expect(page.getByRole("button", { name: "Load" })).toBeDisabled();
  await expect(
    page.getByText(/^Chats are off in Restricted Mode, .* Trust this workspace to use them\.$/),
  ).toBeVisible();
});

test("in a narrow column nothing is cut off", async ({ page }) => {
  await page.setViewportSize({ width: 260, height: 700 });
  const chat = await ChatPage.open(page);
  await chat.show({
    id: "c",
    title: LONG_NAME,
    context: { label: `${LONG_NAME}.py, lines 1-200`, text: "x" },
    exchanges: [exchange("How?", { text: "So." }, { text: "Or so.", model: BASE })],
  });
  await expect(page.getByLabel("Compare with")).toBeVisible();
  await page.getByText("Settings", { exact: true }).click();
  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  expect(width).toBe(260);
});
