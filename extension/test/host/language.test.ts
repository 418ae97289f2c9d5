import assert from "node:assert/strict";

import * as vscode from "vscode";

import { eventually, show } from "./workspace";

function errors(document: vscode.TextDocument): vscode.Diagnostic[] {
  const all = vscode.languages.getDiagnostics(document.uri);
  return all.filter(({ severity }) => severity === vscode.DiagnosticSeverity.Error);
}

describe("the language server", () => {
  it("says what is wrong, where, and mends it", async () => {
    const document = await show("faulty.peft.yaml");
    const [fault] = await eventually(() => {
      const all = errors(document);
      return all.length > 0 ? all : undefined;
    });
    assert.ok(fault);
    assert.equal(document.getText(fault.range), "learnin_rate");
    assert.equal(fault.severity, vscode.DiagnosticSeverity.Error);

    const actions = await vscode.commands.executeCommand<vscode.CodeAction[]>(
      "vscode.executeCodeActionProvider",
      document.uri,
      fault.range,
      vscode.CodeActionKind.QuickFix.value,
    );
    const fix = actions.find(({ title, edit }) => edit && title.includes("learning_rate"));
    assert.ok(fix?.edit, `no fix among ${actions.map(({ title }) => title).join(", ")}`);
    assert.ok(await vscode.workspace.applyEdit(fix.edit));
    await eventually(() => (errors(document).length === 0 ? true : undefined));
  });

  it("explains a key", async () => {
    const document = await show("good.peft.yaml");
    const at = document.positionAt(document.getText().indexOf("batch_size") + 2);
    const hovers = await vscode.commands.executeCommand<vscode.Hover[]>(
      "vscode.executeHoverProvider",
      document.uri,
      at,
    );
    const parts = hovers.flatMap(({ contents }) => contents);
    const text = parts.map((part) => (part instanceof vscode.MarkdownString ? part.value : ""));
    assert.match(text.join("\n"), /one device/);
  });

  it("comes back when it is restarted", async () => {
    const document = await show("faulty.peft.yaml");
    await vscode.commands.executeCommand("workbench.action.files.revert");
    await vscode.commands.executeCommand("peft.restartServer");
    await eventually(() => (vscode.languages.getDiagnostics(document.uri).length > 0 ? true : undefined));
  });
});
