import assert from "node:assert/strict";

import * as vscode from "vscode";

import manifest from "../../package.json";
import { eventually, extension, show } from "./workspace";

describe("the extension", () => {
  it("sleeps while other files are open, YAML among them", async () => {
    await show("other.yaml");
    await show("notes.md");
    assert.equal(extension().isActive, false);
  });

  it("is woken by a chat that looks for models, but starts nothing for it", async () => {
    assert.deepEqual(await vscode.lm.selectChatModels({ vendor: "peft-workbench" }), []);
  });

  it("wakes for a .peft.yaml, which is of its own language", async () => {
    const document = await show("good.peft.yaml");
    assert.equal(document.languageId, "peft-yaml");
    await eventually(() => extension().isActive || undefined);
  });

  it("registers the commands that it declares, and no others", async () => {
    const declared = manifest.contributes.commands.map(({ command }) => command).sort();
    const registered = (await vscode.commands.getCommands(true)).filter((command) => command.startsWith("peft."));
    // The editor itself makes some for each view.
    const ours = registered.filter((command) => !/^peft\.(runs|models|versions)\./.test(command)).sort();
    assert.deepEqual(ours, declared);
  });

  it("runs a command that fails without throwing at its caller", async () => {
    await show("notes.md");
    await vscode.commands.executeCommand("peft.run");
  });
});
