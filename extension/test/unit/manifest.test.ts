/** package.json against what it promises. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";

import { describe, expect, it } from "vitest";

import manifest from "../../package.json";
import { COMMANDS } from "../../src/restricted";

const ROOT = path.resolve(import.meta.dirname, "../..");
const { contributes } = manifest;
const declared = contributes.commands.map(({ command }) => command);

describe("the manifest", () => {
  it("is active only where there is something to do", () => {
    expect(manifest.activationEvents).toEqual(["onWebviewPanel:peft.run", "onWebviewPanel:peft.talk"]);
  });

  it("J16 asks for nothing that an open-source build of the editor does not have", () => {
    expect(manifest).not.toHaveProperty("enabledApiProposals");
    expect(manifest).not.toHaveProperty("extensionDependencies");
  });

  it("names every command in the category that the palette shows", () => {
    for (const command of contributes.commands)
      expect(command).toMatchObject({ category: "PEFT", title: expect.stringMatching(/^[A-Z]/) as string });
  });

  it("refers only to commands that it declares", () => {
    const menus: { command: string }[] = Object.values(contributes.menus).flat();
    const links = contributes.viewsWelcome.flatMap(({ contents }) =>
      [...contents.matchAll(/command:(peft\.\w+)/g)].map(([, command]) => command),
    );
    const management = contributes.languageModelChatProviders.map(({ managementCommand }) => managementCommand);
    const named = [...menus.map(({ command }) => command), ...links, ...management];
    expect(named.filter((command) => !declared.includes(command ?? ""))).toEqual([]);
  });

  it("has a decision for each command whether it works where the workspace is not trusted", () => {
    expect(Object.keys(COMMANDS)).toEqual(declared);
  });

  it("turns off what executes a workspace's words where it is not trusted", () => {
    const off = Object.entries(COMMANDS).flatMap(([command, decision]) => (decision === "works" ? [] : [command]));
    const disabled = contributes.commands.filter(({ enablement }) => enablement === "isWorkspaceTrusted");
    expect(disabled.map(({ command }) => command)).toEqual(off);
    expect(contributes.commands.filter(({ enablement }) => enablement !== undefined)).toEqual(disabled);
  });

  it("ignores, where the workspace is not trusted, every setting that names a program or a folder", () => {
    const { supported, restrictedConfigurations } = manifest.capabilities.untrustedWorkspaces;
    expect(supported).toBe("limited");
    const settings = Object.keys(contributes.configuration.properties).filter(
      (name) => !name.startsWith("peft.trace."),
    );
    expect([...restrictedConfigurations].sort()).toEqual(settings.sort());
  });

  it("S7 describes every setting, in other words than its name's", () => {
    for (const [name, setting] of Object.entries(contributes.configuration.properties)) {
      const text = "description" in setting ? setting.description : setting.markdownDescription;
      expect(text.length).toBeGreaterThan(40);
      const label = name.replace(/^peft\./, "").replace(/[^a-z]+/gi, "");
      expect(text.replace(/[^a-z]+/gi, "").toLowerCase()).not.toBe(label.toLowerCase());
    }
  });

  it("says what an empty view is for in plain text, which the editor shows as it is", () => {
    for (const { contents } of contributes.viewsWelcome) expect(contents).not.toMatch(/[`*_]/);
  });

  it("offers to start a language server again that does not run", () => {
    const failed = contributes.viewsWelcome.filter(({ when }) => when.includes("peft.server == failed"));
    expect(failed.map(({ view }) => view)).toEqual(["peft.models", "peft.runs"]);
    for (const { contents } of failed) expect(contents).toContain("command:peft.restartServer");
  });

  it("has every file that it names", () => {
    const { languages, grammars, viewsContainers } = contributes;
    const files = [
      manifest.icon,
      ...languages.flatMap(({ icon, configuration }) => [icon.light, icon.dark, configuration]),
      ...grammars.map((grammar) => grammar.path),
      ...viewsContainers.activitybar.map(({ icon }) => icon),
    ];
    expect(files.filter((file) => !existsSync(path.join(ROOT, file)))).toEqual([]);
  });
});

describe("the icon of a config", () => {
  it("is seen on black and on white, because the light theme of high contrast takes the dark one", () => {
    const svg = readFileSync(path.join(ROOT, contributes.languages[0]?.icon.dark ?? ""), "utf8");
    const line = /<svg[^>]* stroke="(#\w+)"/.exec(svg)?.[1] ?? "";
    expect(contrast(line, "#ffffff")).toBeGreaterThan(3);
    expect(contrast(line, "#000000")).toBeGreaterThan(3);
  });
});

describe("the stylesheets", () => {
  it("take every colour from the editor's theme", () => {
    const files = readdirSync(path.join(ROOT, "webview"), { recursive: true, encoding: "utf8" });
    for (const file of files.filter((name) => name.endsWith(".css"))) {
      const text = readFileSync(path.join(ROOT, "webview", file), "utf8");
      expect(text.match(/#[0-9a-f]{3,8}\b|\b(rgb|hsl)a?\(/gi), file).toBeNull();
    }
  });
});

describe("the lock file", () => {
  it("records no address", () => {
    expect(readFileSync(path.join(ROOT, "package-lock.json"), "utf8")).not.toMatch(/"resolved"/);
  });
});

/** The ratio of WCAG 2, which wants 3 of what is drawn. */
function contrast(one: string, other: string): number {
  const [bright = 0, dark = 0] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return (bright + 0.05) / (dark + 0.05);
}

function luminance(color: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const share = parseInt(color.slice(at, at + 2), 16) / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
