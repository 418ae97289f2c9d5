import * as vscode from "vscode";

import { Problem } from "../problem";

/**
 * Finds the config that a command is about: the one that a view or a lens gave, else the one in the active editor.
 *
 * @param given a URI, or its text as a lens has it; anything else that the editor passes along is not one.
 * @throws Problem when there is none; the message is `missing`.
 */
export function configUri(given: unknown, missing: string): vscode.Uri {
  const uri = given instanceof vscode.Uri ? given : typeof given === "string" ? vscode.Uri.parse(given) : activeUri();
  if (uri?.scheme === "file" && /\.peft\.ya?ml$/.test(uri.path)) return uri;
  throw new Problem(missing, "Open a .peft.yaml file first.");
}

/** Saves a config, because some work counts what is on disk. */
export async function saved(uri: vscode.Uri, why: string): Promise<void> {
  const document = await vscode.workspace.openTextDocument(uri);
  if (document.isDirty && !(await document.save())) {
    throw new Problem(`${vscode.workspace.asRelativePath(uri)} could not be saved.`, why);
  }
}

function activeUri(): vscode.Uri | undefined {
  return vscode.window.activeTextEditor?.document.uri;
}
