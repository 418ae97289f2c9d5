/** package.json against what it promises. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";

import { describe, expect, it } from "vitest";

import manifest from "../../package.json";

const ROOT = path.resolve(import.meta.dirname, "../..");
const { contributes } = manifest;
const declared = contributes.commands.map(({ command }) => command);

describe("the manifest", () => {
  it("is active only where there is something to do", () => {
    expect(manifest.activationEvents).toEqual(["onWebviewPanel:peft.run", "onWebviewPanel:peft.talk"]);
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

  it("turns off what executes a workspace's words where it is not trusted", () => {
    const trusted = contributes.commands.filter((command) => command.enablement === "isWorkspaceTrusted");
    expect(trusted.map(({ command }) => command)).toEqual([
      "peft.run",
      "peft.resumeRun",
      "peft.chatWithAdapter",
      "peft.openChat",
      "peft.askAboutSelection",
      "peft.compareAnswers",
      "peft.chooseChatModel",
      "peft.chatWithModel",
      "peft.startModelServer",
      "peft.restartModelServer",
      "peft.copyEndpoint",
    ]);
  });

  it("ignores, where the workspace is not trusted, every setting that names a program or a folder", () => {
    const { supported, restrictedConfigurations } = manifest.capabilities.untrustedWorkspaces;
    expect(supported).toBe("limited");
    const settings = Object.keys(contributes.configuration.properties).filter(
      (name) => !name.startsWith("peft.trace."),
    );
    expect([...restrictedConfigurations].sort()).toEqual(settings.sort());
  });

  it("describes every setting", () => {
    for (const setting of Object.values(contributes.configuration.properties)) {
      const text = "description" in setting ? setting.description : setting.markdownDescription;
      expect(text.length).toBeGreaterThan(40);
    }
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
