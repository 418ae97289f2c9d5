/** The text editor that was worked in last: while somebody is in the chat panel, none is active. */
import * as vscode from "vscode";

import { Problem } from "../problem";
import type { ContextChip } from "../protocol/chatPanel";
import { contextLabel, contextText } from "./context";

export class LastEditor {
  private editor = vscode.window.activeTextEditor;

  register(): vscode.Disposable {
    return vscode.window.onDidChangeActiveTextEditor((editor) => {
      if (editor) this.editor = editor;
    });
  }

  /** @throws Problem when nothing is selected. */
  selection(): ContextChip {
    const { document, selection } = this.visible("There is no selection to take.");
    const text = document.getText(selection);
    if (text === "") throw new Problem("Nothing is selected.", "Select some text in an editor first.");
    const file = vscode.workspace.asRelativePath(document.uri);
    const label = contextLabel(file, selection.start.line + 1, selection.end.line + 1);
    return { label, text: contextText(label, document.languageId, text) };
  }

  /** Puts a text in place of the selection, or where the cursor is. */
  async insert(text: string): Promise<void> {
    const shown = this.visible("There is no editor to insert into.");
    const editor = await vscode.window.showTextDocument(shown.document, { viewColumn: shown.viewColumn });
    if (await editor.edit((edit) => edit.replace(editor.selection, text))) return;
    throw new Problem("The text could not be inserted.", "See whether the file can be written.");
  }

  private visible(missing: string): vscode.TextEditor {
    const { editor } = this;
    const found = vscode.window.visibleTextEditors.find((shown) => shown.document === editor?.document);
    if (!found) throw new Problem(missing, "Open a file beside the chat.");
    return found;
  }
}
