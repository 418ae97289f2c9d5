/** A page of ours outside the editor: its HTML, its policy and its bundle are the real ones; the editor's half is played by the test. */
import path from "node:path";

import type { Page } from "@playwright/test";
import type axe from "axe-core";

import { page as pageHtml, type PageName } from "../../src/panels/page";
import themes from "./themes.json";

const ORIGIN = "http://panel.test";
const DIST = path.join(__dirname, "../../dist/webview");

/** The colours of the editor's own themes that our pages use, as the editor gave them to a webview. */
export const THEMES = themes;
export type ThemeName = keyof typeof themes;

export interface PageOptions {
  /** What the page had asked the editor to keep, before the window was reloaded. */
  readonly kept?: unknown;
  readonly theme?: ThemeName;
}

/** What somebody may well call a run or a chat. */
export const LONG_NAME = "Größe-🦙-ein-sehr-langer-Name-der-nicht-in-eine-Zeile-passt";

/** Fonts and sizes, which are the user's and not the theme's. */
const FONTS = {
  "--vscode-editor-font-family": "monospace",
  "--vscode-editor-font-size": "14px",
  "--vscode-font-family": "sans-serif",
  "--vscode-font-size": "13px",
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

  /** What keeps people from using the page as it is now, as the axe checker finds it: rules, and the elements that break them. */
  async barriers(): Promise<string[]> {
    const { violations } = await this.page.evaluate(() => window.axe.run());
    return violations.flatMap(({ id, nodes }) =>
      nodes.map(({ html, failureSummary }) => `${id}: ${html}\n${failureSummary ?? ""}`),
    );
  }

  protected async load(name: PageName, { kept, theme = "dark" }: PageOptions = {}): Promise<void> {
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
    const { classes, colors } = THEMES[theme];
    await this.page.addInitScript({ path: require.resolve("axe-core/axe.min.js") });
    await this.page.addInitScript(playEditor, { classes, variables: { ...FONTS, ...colors }, kept });
    await this.page.goto(`${ORIGIN}/panel.html`);
  }
}

declare global {
  interface Window {
    /** What the page told the editor. */
    sent: unknown[];
    /** What the page asked the editor to keep. */
    state: unknown;
    axe: typeof axe;
  }
}

interface Surroundings {
  readonly classes: string;
  readonly variables: Readonly<Record<string, string>>;
  readonly kept: unknown;
}

/** Runs in the page, before it. */
function playEditor({ classes, variables, kept }: Surroundings): void {
  window.sent = [];
  window.state = kept;
  const api = {
    postMessage: (message: unknown) => window.sent.push(message),
    getState: () => window.state,
    setState: (state: unknown) => (window.state = state),
  };
  Object.assign(window, { acquireVsCodeApi: () => api });
  addEventListener("DOMContentLoaded", () => {
    document.body.className = classes;
    for (const [name, value] of Object.entries(variables)) document.documentElement.style.setProperty(name, value);
  });
}
