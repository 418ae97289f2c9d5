/** What a person does in the editor, as methods on one page. It knows the workbench, and nothing of any extension. */
import fs from "node:fs";
import path from "node:path";

import { expect, type FrameLocator, type Locator, type Page } from "@playwright/test";

import { until } from "./until";

export interface Problem {
  /** As the file is labelled in the Problems view, e.g. `train.yaml`. */
  readonly file: string;
  /** Hints are not listed in the Problems view. */
  readonly severity: "error" | "warning" | "info";
  readonly message: string;
  readonly source: string;
  readonly code: string;
  /** Counted from 1, as the editor shows them. */
  readonly line: number;
  readonly column: number;
}

export interface ConsoleLine {
  readonly type: string;
  readonly text: string;
}

/** How long one thing may take to show on a loaded machine. */
const SHOW_MS = 60_000;
/** The first window of a server is the slowest thing that happens. */
const OPEN_MS = 120_000;
/** How long an act may take to show that it was heard; one that was not is done again. */
const HEARD_MS = 10_000;
/** How long the palette's list is looked at, at first, before it is opened afresh. */
const PALETTE_MS = 1_500;

export class Workbench {
  /** What the page and its webviews wrote to the console, uncaught errors among it (type `pageerror`). */
  readonly console: ConsoleLine[] = [];
  /** The folder that is open. */
  folder = "";

  constructor(
    readonly page: Page,
    private readonly url: string,
  ) {
    page.on("console", (message) => this.console.push({ type: message.type(), text: message.text() }));
    page.on("pageerror", (error) => this.console.push({ type: "pageerror", text: String(error) }));
    // An unsaved file makes the browser ask before it leaves; left unanswered, a reload would hang.
    page.on("dialog", (dialog) => void dialog.accept());
  }

  /** Opens a folder in this page; extensions start in the background, so wait for what they show. */
  async open(folder: string): Promise<void> {
    this.folder = folder;
    await this.page.goto(`${this.url}/?folder=${encodeURIComponent(folder)}`);
    await this.waitUntilShown();
  }

  /** Has the editor reload its window, which saves what it knows, ends the extension host and starts a new one. */
  async reload(): Promise<void> {
    const loaded = this.page.waitForEvent("load");
    await this.runCommand("Developer: Reload Window");
    await loaded;
    await this.waitUntilShown();
  }

  /** Waits until `selector` is visible, and returns it. */
  async waitFor(selector: string, timeoutMs = SHOW_MS): Promise<Locator> {
    const found = this.page.locator(selector).first();
    await found.waitFor({ state: "visible", timeout: timeoutMs });
    return found;
  }

  // --- palette, pickers, notifications ---

  /** Runs a command by the title that the palette shows, category included: `Developer: Reload Window`. */
  async runCommand(title: string): Promise<void> {
    const row = this.row(title);
    await this.chooseInPalette("F1", `>${title}`, row);
  }

  /** Opens a file by quick open and waits for its editor. `file` is absolute or relative to the open folder. */
  async openFile(file: string): Promise<Locator> {
    // Quick open finds a file by its absolute path at once, even where search leaves it out or has not yet seen it.
    const target = path.resolve(this.folder, file);
    await this.chooseInPalette("Control+KeyP", target, this.row(path.basename(file)));
    const editor = this.editor();
    await until(`the editor of ${target}`, SHOW_MS, async () => {
      if (!(await editor.isVisible())) return undefined;
      const uri = decodeURIComponent((await editor.getAttribute("data-uri")) ?? "");
      return uri.endsWith(target) ? true : undefined;
    });
    await this.untilFocused();
    return editor;
  }

  /**
   * Chooses an entry of the quick pick or the file dialog that is open, or opens within the time. A click on a row that is drawn
   * anew at that moment is lost, so it is done again until the row is gone.
   */
  async pick(label: string): Promise<void> {
    const row = this.row(label).first();
    let clicked = false;
    await until(`${label} to be taken`, SHOW_MS, async () => {
      // It may have been heard late.
      if (clicked && !(await row.isVisible())) return true;
      clicked = (await happens(row.click({ timeout: clicked ? HEARD_MS : SHOW_MS }))) || clicked;
      return clicked && happens(row.waitFor({ state: "hidden", timeout: HEARD_MS }));
    });
  }

  /** Checks an entry of the quick pick of many that is open, or opens within the time; or clears it. */
  async check(label: string, checked = true): Promise<void> {
    const box = this.row(label).first().getByRole("checkbox");
    await box.setChecked(checked, { timeout: SHOW_MS });
  }

  /** Takes what is checked in the quick pick of many. Enter would change the box that was clicked last. */
  async confirm(): Promise<void> {
    await this.page.locator(".quick-input-widget:visible").getByRole("button", { name: "OK", exact: true }).click();
  }

  /** Answers the input box that is open, or opens within the time. `prompt` is some of the text that the box shows. */
  async answer(text: string, prompt?: string): Promise<void> {
    const widget = this.page.locator(".quick-input-widget:visible", prompt ? { hasText: prompt } : undefined);
    const input = widget.locator("input.input");
    await input.fill(text, { timeout: SHOW_MS });
    await input.press("Enter");
  }

  /** Takes what a file dialog proposes, or a path in its place. It looks at the disk first, and an Enter before that is lost. */
  async acceptFile(title: string, file?: string): Promise<void> {
    const dialog = this.page.locator(".quick-input-widget:visible", { hasText: title });
    const input = dialog.locator("input.input");
    await expect(input).not.toHaveValue("", { timeout: SHOW_MS });
    await until(`${title} to be answered`, SHOW_MS, async () => {
      if (!(await dialog.isVisible())) return true;
      if (file !== undefined) await happens(input.fill(file, { timeout: HEARD_MS }));
      await happens(input.press("Enter", { timeout: HEARD_MS }));
      return happens(dialog.waitFor({ state: "hidden", timeout: HEARD_MS }));
    });
  }

  /** Chooses from the menu of a row: the editor lets a click pass that comes right after a menu opened, or on a row drawn anew. */
  async chooseFromRow(row: Locator, label: string): Promise<void> {
    const item = this.page.locator(".context-view .action-item", { hasText: label });
    await until(`${label} in the menu`, SHOW_MS, async () => {
      if (!(await item.isVisible())) await happens(row.click({ button: "right", timeout: HEARD_MS }));
      if (!(await happens(item.hover({ timeout: HEARD_MS })))) return undefined;
      if (!(await happens(item.click({ timeout: HEARD_MS })))) return undefined;
      return happens(item.waitFor({ state: "hidden", timeout: HEARD_MS }));
    });
  }

  /** Opens a row of a tree, again if need be, until what is in it is shown. */
  async expand(row: Locator, child: Locator): Promise<void> {
    await until("the row to open", SHOW_MS, async () => {
      if (await child.first().isVisible()) return true;
      await happens(row.locator(".monaco-tl-twistie").click({ timeout: HEARD_MS }));
      return happens(child.first().waitFor({ timeout: HEARD_MS }));
    });
  }

  /** The notification toasts that contain `text`; click a button by `.getByRole("button", { name })`. */
  notification(text: string | RegExp): Locator {
    return this.page.locator(".notifications-toasts .notification-list-item", { hasText: text });
  }

  /** Presses a button of a notification, which may have left the corner by itself after some seconds. */
  async answerNotification(text: string | RegExp, button: string, timeoutMs = SHOW_MS): Promise<void> {
    const told = this.page.locator(".notifications-center .notification-list-item", { hasText: text });
    await until(`the notification ${String(text)}`, timeoutMs, async () => {
      if (!(await told.isVisible())) await this.runCommand("Notifications: Show Notifications");
      return (await told.isVisible()) ? true : undefined;
    });
    await told.getByRole("button", { name: button, exact: true }).click({ timeout: SHOW_MS });
  }

  /** The status bar's entries that contain `text`. */
  statusBarItem(text: string | RegExp): Locator {
    return this.page.locator(".statusbar-item", { hasText: text });
  }

  // --- the text editor ---

  /** The text editor of the active group. */
  editor(): Locator {
    return this.page.locator(".editor-group-container.active .editor-instance .monaco-editor").first();
  }

  /** Puts the keyboard into the active text editor, from wherever it was. */
  async focusEditor(): Promise<void> {
    await this.runCommand("View: Focus Active Editor Group");
  }

  /** Moves the cursor of the active text editor, which then has the keyboard; both are counted from 1. */
  async goTo(line: number, column = 1): Promise<void> {
    const there = this.statusBarItem(new RegExp(`Ln ${line}, Col ${column}(?!\\d)`));
    await until(`the cursor at ${line}:${column}`, SHOW_MS, async () => {
      await this.focusEditor();
      await this.page.keyboard.press("Control+KeyG");
      await this.answer(`:${line}:${column}`);
      return happens(there.first().waitFor({ timeout: HEARD_MS }));
    });
    await this.untilFocused();
  }

  /**
   * Types at the cursor, key by key, as a person does: brackets close themselves, lines indent themselves and the
   * suggestions open. Enter and Tab would take a suggestion; a text of many lines is written to the file instead.
   */
  async type(text: string): Promise<void> {
    await this.page.keyboard.type(text);
  }

  /** Saves the active editor and waits until it is no longer marked as changed. */
  async save(): Promise<void> {
    const saved = this.page.locator(".editor-group-container.active .tab.active:not(.dirty)");
    await until("the file to be saved", SHOW_MS, async () => {
      await this.page.keyboard.press("Control+KeyS");
      return happens(saved.waitFor({ timeout: HEARD_MS }));
    });
  }

  /**
   * The lines of the active editor that are on the screen, top to bottom, as they are drawn now (poll for a change).
   * The whole text is in the file, after `save`.
   */
  async visibleText(): Promise<string[]> {
    const lines = await this.editor()
      .locator(".view-line")
      .evaluateAll((elements) =>
        elements.map((element) => ({ top: element.getBoundingClientRect().top, text: element.textContent })),
      );
    // Lines stand in the document in the order in which they were drawn, and spaces are drawn as U+00A0.
    return lines.sort((a, b) => a.top - b.top).map((line) => line.text.replaceAll("\u00a0", " "));
  }

  /** The underlined ranges on the screen. */
  squiggles(severity: "error" | "warning" | "info" | "hint"): Locator {
    return this.editor().locator(`.squiggly-${severity}`);
  }

  // --- views ---

  /**
   * Reads the Problems view as it is now, all of it. Diagnostics arrive when they arrive, so poll:
   * `await expect.poll(() => workbench.problems()).toHaveLength(2)`.
   */
  async problems(): Promise<Problem[]> {
    await this.runCommand("Problems: Focus on Problems View");
    const panel = await this.waitFor(".markers-panel");
    const rows = panel.locator(".monaco-list-row");
    if ((await rows.count()) === 0) return [];
    // The list holds only the rows on the screen: its last row tells how many there are, then it goes up page by page.
    const read = new Map<number, ProblemRow>();
    await this.page.keyboard.press("End");
    await until("all rows of the Problems view", SHOW_MS, async () => {
      for (const row of await rows.evaluateAll(readProblemRows)) read.set(row.index, row);
      if (read.size === Math.max(-1, ...read.keys()) + 1) return true;
      // At the top with a gap: the list changed, or was drawn late, while it was read.
      const again = read.has(0);
      if (again) read.clear();
      await this.page.keyboard.press(again ? "End" : "PageUp");
      return undefined;
    });

    let file = "";
    return [...read.values()]
      .sort((a, b) => a.index - b.index)
      .flatMap(({ index: _, label, problem }) => {
        // Rows of related information have no label.
        if (!problem && label) file = label;
        return problem ? [{ file, ...problem }] : [];
      });
  }

  /**
   * Finds the webview that contains `selector`, be it a panel, a view or an editor, and returns its document.
   * What it returns stays valid when the webview is loaded again.
   */
  async webview(selector: string, timeoutMs = SHOW_MS): Promise<FrameLocator> {
    const frames = this.page.locator("iframe.webview.ready");
    return until(`a webview with ${selector}`, timeoutMs, async () => {
      const names = await frames.evaluateAll((elements) => elements.map((element) => element.getAttribute("name")));
      for (const name of names) {
        const content = this.page.frameLocator(`iframe.webview[name="${name}"]`).frameLocator("iframe#active-frame");
        if (await content.locator(selector).count()) return content;
      }
      return undefined;
    });
  }

  /** Writes what the page shows to `folder/name.png`, and returns that path. */
  async screenshot(name: string, folder: string): Promise<string> {
    const file = path.join(folder, `${name}.png`);
    fs.mkdirSync(folder, { recursive: true });
    await this.page.screenshot({ path: file });
    return file;
  }

  // --- internals ---

  private async waitUntilShown(): Promise<void> {
    await this.waitFor(".monaco-workbench .part.statusbar .statusbar-item", OPEN_MS);
  }

  /** Waits until keys go to the active text editor. */
  private async untilFocused(): Promise<void> {
    const focused = this.page.locator(".editor-group-container.active .editor-instance .monaco-editor.focused");
    await until("the editor to have the keyboard", SHOW_MS, async () => {
      if (await happens(focused.first().waitFor({ timeout: HEARD_MS }))) return true;
      await this.focusEditor();
      return undefined;
    });
  }

  private row(label: string): Locator {
    const exact = this.page.locator(".label-name").getByText(label, { exact: true });
    return this.page.locator(".quick-input-widget .quick-input-list .monaco-list-row").filter({ has: exact });
  }

  /**
   * Opens the palette, fills it and clicks `row`. The list is not brought up to date while it is open, and a command
   * whose extension is still starting is missing: so it is opened again until the row is there, with growing patience.
   */
  private async chooseInPalette(shortcut: string, text: string, row: Locator): Promise<void> {
    const input = this.page.locator(".quick-input-widget input.input");
    let patienceMs = PALETTE_MS;
    await until(`${JSON.stringify(text)} in the palette`, SHOW_MS, async () => {
      await this.page.keyboard.press(shortcut);
      try {
        await input.fill(text, { timeout: patienceMs });
        await row.first().click({ timeout: patienceMs });
        return true;
      } catch {
        await this.page.keyboard.press("Escape");
        patienceMs *= 2;
        return undefined;
      }
    });
    // Not the widget: the command may have opened a pick of its own in it.
    await row.first().waitFor({ state: "hidden", timeout: SHOW_MS });
  }
}

/** Whether something came about, rather than not within its time. */
function happens(act: Promise<unknown>): Promise<boolean> {
  return act.then(
    () => true,
    () => false,
  );
}

interface ProblemRow {
  index: number;
  label: string;
  problem?: Omit<Problem, "file">;
}

/** Runs in the page. */
function readProblemRows(rows: Element[]): ProblemRow[] {
  return rows.map((row) => {
    const text = (selector: string): string => row.querySelector(selector)?.textContent ?? "";
    const index = Number(row.getAttribute("data-index"));
    const icon = row.querySelector(".marker-icon");
    if (!icon) return { index, label: text(".label-name") };
    const severity = (["error", "warning", "info"] as const).find((name) => icon.classList.contains(name)) ?? "info";
    const position = /\[Ln (\d+), Col (\d+)\]/.exec(text(".marker-line"));
    return {
      index,
      label: "",
      problem: {
        severity,
        message: text(".marker-message"),
        source: text(".marker-source"),
        code: text(".marker-code"),
        line: Number(position?.[1]),
        column: Number(position?.[2]),
      },
    };
  });
}
