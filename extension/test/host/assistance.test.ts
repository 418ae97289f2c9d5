import assert from "node:assert/strict";

import * as vscode from "vscode";

import { eventually, show } from "./workspace";

describe("what helps to write", () => {
  it("shows lenses above a config, with what it comes to", async () => {
    const document = await show("good.peft.yaml");
    const titles = await eventually(async () => {
      const lenses = await vscode.commands.executeCommand<vscode.CodeLens[]>(
        "vscode.executeCodeLensProvider",
        document.uri,
      );
      return lenses.length > 0 ? lenses.map(({ command }) => command?.title ?? "") : undefined;
    });
    assert.deepEqual(
      titles.map((title) => title.split(" · ")[0]),
      ["Run", "Estimate", "Dry run", "Compare"],
    );
    assert.match(titles[1] ?? "", /effective batch \d+/);
  });

  it("shows an estimate on a page of its own", async () => {
    const document = await show("good.peft.yaml");
    await vscode.commands.executeCommand("peft.estimate", document.uri.toString());
    await eventually(() => openTabs().some((label) => label.includes("Estimate of good.peft.yaml")) || undefined);
  });

  it("compares the effective values of two configs", async () => {
    const document = await show("good.peft.yaml");
    await vscode.commands.executeCommand("peft.compareConfigs", document.uri);
    await eventually(
      () => openTabs().some((label) => label.includes("good.peft.yaml (effective values)")) || undefined,
    );
    const pages = vscode.workspace.textDocuments.filter(({ uri }) => uri.scheme === "peft");
    assert.ok(pages.some((page) => page.getText().startsWith("version: 1\n")));
  });

  it("offers to repair everything at once", async () => {
    const document = await show("faulty.peft.yaml");
    await vscode.commands.executeCommand("workbench.action.files.revert");
    await eventually(() => vscode.languages.getDiagnostics(document.uri).length > 0 || undefined);
    const actions = await vscode.commands.executeCommand<vscode.CodeAction[]>(
      "vscode.executeCodeActionProvider",
      document.uri,
      new vscode.Range(0, 0, 0, 0),
      "source.fixAll.peft",
      1,
    );
    const [all] = actions;
    assert.ok(all?.edit, `no repair among ${actions.map(({ title }) => title).join(", ")}`);
    // Applying it would open the editor's preview, because the user is to see what everything is.
    const texts = all.edit.get(document.uri).map(({ newText }) => newText);
    assert.ok(
      texts.some((text) => text.includes("learning_rate")),
      texts.join("\n"),
    );
  });
});

function openTabs(): string[] {
  return vscode.window.tabGroups.all.flatMap(({ tabs }) => tabs.map(({ label }) => label));
}
