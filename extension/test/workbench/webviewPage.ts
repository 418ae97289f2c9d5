/** A page of ours outside the editor: its HTML, its policy and its bundle are the real ones; the editor's half is played by the test. */
import path from "node:path";

import type { Page } from "@playwright/test";

import { page as pageHtml, type PageName } from "../../src/panels/page";

const ORIGIN = "http://panel.test";
const DIST = path.join(__dirname, "../../dist/webview");

/** A few of the editor's colours, enough to see that they are taken. */
const THEME = {
  foreground: "#cccccc",
  descriptionForeground: "#9d9d9d",
  "editor-background": "#1f1f1f",
  "editorWidget-border": "#313131",
  "charts-blue": "#59a4f9",
  "charts-orange": "#d18616",
  "charts-purple": "#b180d7",
  "charts-green": "#89d185",
  "badge-background": "#616161",
  "badge-foreground": "#f8f8f8",
  "button-background": "#0078d4",
  "button-foreground": "#ffffff",
  "button-secondaryBackground": "#313131",
  "button-secondaryForeground": "#cccccc",
  "dropdown-background": "#313131",
  "dropdown-border": "#3c3c3c",
  "dropdown-foreground": "#cccccc",
  focusBorder: "#0078d4",
  "input-background": "#313131",
  "input-border": "#3c3c3c",
  "input-foreground": "#cccccc",
  "inputValidation-errorBorder": "#be1100",
  "inputValidation-errorBackground": "#5a1d1d",
  "textBlockQuote-background": "#2b2b2b",
  "textCodeBlock-background": "#2b2b2b",
  "textLink-foreground": "#4daafc",
  "editor-font-family": "monospace",
  "font-family": "sans-serif",
  "font-size": "13px",
};

export class WebviewPage<FromEditor, FromPage> {
  /** What the browser refused or what failed in the page. */
  readonly complaints: string[] = [];

  protected constructor(readonly page: Page) {
    page.on("console", (message) => message.type() === "error" && this.complaints.push(message.text()));
    page.on("pageerror", (error) => this.complaints.push(String(error)));
  }

  async send(message: FromEditor | Record<string, unknown>): Promise<void> {
    await this.page.evaluate((data) => window.postMessage(data), message);
  }

  sent(): Promise<FromPage[]> {
    return this.page.evaluate(() => window.sent as FromPage[]);
  }

  state(): Promise<unknown> {
    return this.page.evaluate(() => window.state);
  }

  /** @param kept what the page has asked the editor to keep, before the window was reloaded */
  protected async load(name: PageName, kept?: unknown): Promise<void> {
    const parts = {
      name,
      cspSource: ORIGIN,
      nonce: "n0nce",
      scriptUri: `${ORIGIN}/${name}.js`,
      styleUri: `${ORIGIN}/${name}.css`,
    };
    await this.page.route(`${ORIGIN}/**`, (route) => {
      const file = path.basename(new URL(route.request().url()).pathname);
      return file === "panel.html"
        ? route.fulfill({ contentType: "text/html", body: pageHtml(parts) })
        : route.fulfill({ path: path.join(DIST, file) });
    });
    await this.page.addInitScript(playEditor, { theme: THEME, kept });
    await this.page.goto(`${ORIGIN}/panel.html`);
  }
}

declare global {
  interface Window {
    /** What the page told the editor. */
    sent: unknown[];
    /** What the page asked the editor to keep. */
    state: unknown;
  }
}

/** Runs in the page, before it. */
function playEditor({ theme, kept }: { theme: Record<string, string>; kept: unknown }): void {
  window.sent = [];
  window.state = kept;
  const api = {
    postMessage: (message: unknown) => window.sent.push(message),
    getState: () => window.state,
    setState: (state: unknown) => (window.state = state),
  };
  Object.assign(window, { acquireVsCodeApi: () => api });
  addEventListener("DOMContentLoaded", () => {
    for (const [name, value] of Object.entries(theme))
      document.documentElement.style.setProperty(`--vscode-${name}`, value);
  });
}
