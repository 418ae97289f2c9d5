/** The model server as the status bar has it, and the editor's own chat, on one window and with the real model behind them. */
import fs from "node:fs";
import net, { type AddressInfo } from "node:net";
import path from "node:path";

import type { Locator } from "@playwright/test";

import { say } from "./editorChat";
import { type EditorServer, expect, until, type Workbench } from "./harness";
import { altered, createProject, FILE, modelFile, test } from "./product";

/** On two loaded cores; an idle machine takes a tenth. */
const ANSWER_MS = 8 * 60_000;
const FAULTY = altered(["learning_rate", "learnin_rate"]);

/** A click that comes while the status bar is drawn anew is lost, so the act is done again until its list is there. */
async function chooseFromMenu(workbench: Workbench, label: string): Promise<void> {
  const { page } = workbench;
  const list = page.locator(".quick-input-widget", { hasText: "PEFT Model Server" });
  await until(`${label} in the menu`, 120_000, async () => {
    try {
      if (!(await list.isVisible())) await serverItem(workbench).locator("a").click({ timeout: 5_000 });
      // Of many models those at the end are not drawn before they are looked for.
      await list.locator("input.input").fill(label, { timeout: 5_000 });
      await list.getByText(label, { exact: true }).first().click({ timeout: 5_000 });
      await list.waitFor({ state: "hidden", timeout: 10_000 });
      return true;
    } catch {
      return undefined;
    }
  });
}

function serverItem(workbench: Workbench): Locator {
  return workbench.page.locator(".statusbar-item[id='peft-workbench.peft-workbench.peft.serving']");
}

/** Of the model server, in the state folder. */
function settingsOf(editor: EditorServer): string {
  return path.join(editor.home, ".local/share/peft-workbench/settings.yaml");
}

/** Changes settings of the editor as somebody does who edits their file. */
function set(editor: EditorServer, changed: Readonly<Record<string, unknown>>): void {
  const file = path.join(editor.folder, "data/Machine/settings.json");
  const before = JSON.parse(fs.readFileSync(file, "utf8")) as Record<string, unknown>;
  fs.writeFileSync(file, JSON.stringify({ ...before, ...changed }));
}

test("the model server is refused a taken port, started, told to other programs, switched, stopped, and started by itself", async ({
  workbench,
  editor,
}) => {
  test.setTimeout(3 * ANSWER_MS);
  const { page } = workbench;
  const project = createProject(editor, "serving");
  // The real model with three of its tokens renamed, so that it passes for one that fills in the middle.
  const marks = {
    "<jupyter_text>": "<|fim_prefix|>",
    "<jupyter_code>": "<|fim_suffix|>",
    "<empty_output>": "<|fim_middle|>",
  };
  const bytes = fs.readFileSync(modelFile());
  for (const [token, mark] of Object.entries(marks)) bytes.write(mark, bytes.indexOf(token), "latin1");
  fs.writeFileSync(path.join(project, "coder.gguf"), bytes);
  fs.writeFileSync(path.join(project, "count.txt"), "");

  // What another file's tests have started is told to leave.
  const servers = () => editor.processes().filter(({ args }) => args.includes("peft_engine.inference"));
  for (const { pid } of servers()) process.kill(pid, "SIGTERM");
  await until("the end of earlier model servers", 60_000, () => servers().length === 0 || undefined);

  const blocker = net.createServer().listen(0, "127.0.0.1");
  await until("the blocker", 10_000, () => blocker.listening || undefined);
  const { port } = blocker.address() as AddressInfo;
  fs.mkdirSync(path.dirname(settingsOf(editor)), { recursive: true });
  fs.writeFileSync(settingsOf(editor), `serving:\n  port: ${port}\n`);
  try {
    await workbench.open(project);
    await workbench.openFile(FILE);
    await expect(serverItem(workbench)).toContainText("Models: stopped");
    await chooseFromMenu(workbench, "Start");
    await expect(
      workbench.notification(`Port ${port} on 127.0.0.1 is used by node (process ${process.pid})`),
    ).toBeVisible();
    await expect(serverItem(workbench)).toContainText("Models: error");
  } finally {
    blocker.close();
    fs.rmSync(settingsOf(editor));
  }
  await workbench.runCommand("Notifications: Clear All Notifications");
  await chooseFromMenu(workbench, "Start Again");
  await expect(serverItem(workbench)).toContainText(/Models: running :\d+/, { timeout: ANSWER_MS });
  await workbench.runCommand("PEFT: Start Model Server");

  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await chooseFromMenu(workbench, "Copy Endpoint for Another Program");
  await workbench.pick("Cline or Roo Code");
  await expect(workbench.notification("with the token of your model server in it")).toBeVisible();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  const [, url = "", token = ""] = /^Base URL: (.+)\nAPI Key: (.+)\n/.exec(copied) ?? [];
  const models = await fetch(`${url}/models`, { headers: { Authorization: `Bearer ${token}` } });
  expect(copied).toContain("Model ID: HuggingFaceTB/SmolLM2-135M-Instruct");
  expect(models.status).toBe(200);

  await workbench.runCommand("PEFT Workbench: Focus on Models View");
  await workbench.runCommand("PEFT: Add Model");
  await workbench.pick("coder.gguf");
  const added = page.locator(".pane", { hasText: "Models" }).locator(".monaco-list-row", { hasText: "coder" });
  await expect(added).toContainText("Q4_1");
  await chooseFromMenu(workbench, "coder");
  await expect(serverItem(workbench)).toContainText(/coder :\d+/, { timeout: ANSWER_MS });
  await expect(added.locator(".codicon-circle-filled")).toBeVisible();
  set(editor, { "peft.inlineCompletion.enabled": true });
  await workbench.openFile("count.txt");
  await workbench.type("One, two, three, four,");
  const offered = page.locator(".ghost-text, .ghost-text-decoration").filter({ hasText: "five" });
  await until("what comes next", ANSWER_MS, async () => {
    try {
      await offered.first().waitFor({ timeout: 30_000 });
      return true;
    } catch {
      // The editor may have heard of the setting after the last key, and asks no more by itself.
      await workbench.runCommand("Trigger Inline Suggestion");
      return undefined;
    }
  });
  await page.keyboard.press("Tab");
  await expect.poll(async () => (await workbench.visibleText())[0]).toMatch(/^One, two, three, four, five, six/);
  await workbench.save();

  await chooseFromMenu(workbench, "Stop");
  await expect(serverItem(workbench)).toContainText("Models: stopped");
  await expect(fetch(`${url}/models`)).rejects.toThrow();

  set(editor, { "peft.autoStart": true });
  await workbench.reload();
  await expect(serverItem(workbench)).toContainText(/running :\d+/, { timeout: ANSWER_MS });
  set(editor, { "peft.autoStart": false, "peft.inlineCompletion.enabled": false });
});

test("@peft explains a finding, says what keeps a config from running, runs it, and compares its adapter with the base", async ({
  workbench,
  editor,
}) => {
  test.setTimeout(5 * ANSWER_MS);
  const { page } = workbench;
  const project = createProject(editor, "asked", FAULTY);
  await workbench.open(project);
  await workbench.openFile(FILE);
  await expect(workbench.squiggles("error")).toHaveCount(1);
  await workbench.goTo(FAULTY.slice(0, FAULTY.indexOf("learnin_rate")).split("\n").length, 5);
  await workbench.runCommand("PEFT: Choose Chat Model");
  await workbench.pick("SmolLM2-135M-Instruct");
  await expect(page.locator(".chat-input-container")).toContainText("SmolLM2");

  await expect(await say(workbench, "@peft /explain")).toContainText("learnin_rate is not a key of training");
  await expect(await say(workbench, "@peft /explain PW999")).toContainText("There is no finding PW999");
  await expect(await say(workbench, "@peft /compare Hello?")).toContainText(
    "is a base, which there is nothing to compare",
  );
  const refused = await say(workbench, "@peft /run");
  await expect(refused).toContainText("No run was started: quick.peft.yaml has an error.");
  await expect(refused).toContainText("learnin_rate is not a key of training");
  await expect(refused.getByRole("button", { name: "Show Problems" })).toBeVisible();

  fs.writeFileSync(path.join(project, FILE), altered(["max_steps: 10", "max_steps: 1"]));
  await expect(workbench.squiggles("error")).toHaveCount(0);
  const ran = await say(workbench, "@peft /run again");
  await expect(ran).toContainText("The run quick has started.");
  await expect(ran).toContainText(/It is complete after 1 step, with a loss of \d/);
  await expect(ran.getByRole("button", { name: "Try It" })).toBeVisible();

  await workbench.runCommand("PEFT: Choose Chat Model");
  await workbench.pick("Newest adapter");
  const compared = await say(workbench, "@peft /compare Who are you?");
  await expect(compared.locator("th")).toHaveText([/^quick-\d+ on SmolLM2-135M-Instruct$/, /^SmolLM2-135M-Instruct$/]);
  await expect(compared.locator("tbody tr").first().locator("td")).toHaveText([/\w/, /\w/]);
  await compared.getByRole("button", { name: "Open in Chat Panel" }).click();
  const chat = await workbench.webview("#chat .answers[data-columns='2']");
  await expect(chat.locator(".measures")).toHaveText([/tokens\/s/, /tokens\/s/], { timeout: ANSWER_MS });
});
