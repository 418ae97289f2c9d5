import { existsSync } from "node:fs";
import { stat } from "node:fs/promises";
import path from "node:path";

import * as vscode from "vscode";

import { Problem } from "../problem";

/** Says what was written, and offers to show it. */
export async function showWritten(text: string, output: vscode.Uri): Promise<void> {
  const show = "Reveal File";
  if ((await vscode.window.showInformationMessage(text, show)) === show) await reveal(output);
}

/** Shows a file or a folder in the system's file manager, or in a terminal where the window is on another machine than the file. */
export async function reveal(uri: vscode.Uri): Promise<void> {
  requirePresent(uri.fsPath);
  const isHere = vscode.env.remoteName === undefined && vscode.env.uiKind === vscode.UIKind.Desktop;
  if (isHere) return vscode.commands.executeCommand("revealFileInOS", uri);
  const isFolder = (await stat(uri.fsPath)).isDirectory();
  const folder = isFolder ? uri.fsPath : path.dirname(uri.fsPath);
  vscode.window.createTerminal({ name: path.basename(folder), cwd: folder }).show();
}

/** @throws Problem when the file was removed since. */
export async function openFile(file: string): Promise<void> {
  requirePresent(file);
  await vscode.window.showTextDocument(vscode.Uri.file(file));
}

function requirePresent(file: string): void {
  if (!existsSync(file)) throw new Problem(`${file} is not there any more.`, "It was moved or removed.");
}
