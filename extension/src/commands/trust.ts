import * as vscode from "vscode";

/** Says why something is off in Restricted Mode; true when it is on. */
export async function requireTrust(what: string): Promise<boolean> {
  if (vscode.workspace.isTrusted) return true;
  const manage = "Manage Workspace Trust";
  const text = `${what} are off in Restricted Mode, because they execute what this workspace says.`;
  if ((await vscode.window.showWarningMessage(text, manage)) === manage) {
    await vscode.commands.executeCommand("workbench.trust.manage");
  }
  return false;
}
