/** `PEFT: Convert Model`: what it can be converted to, where the result goes, and how far it is. */
import * as vscode from "vscode";

import { offerItem, resultName, resultText, type OfferItem } from "../library/conversion";
import type { ModelLibrary } from "../library/modelLibrary";
import { Problem } from "../problem";
import type { ModelEntry } from "../protocol/types";
import type { ModelsView } from "../views/modelsView";
import { cancellable, type Progress } from "./cancellable";
import { pickModel } from "./modelCommands";
import { showWritten } from "./reveal";

/** Given a row of the Models view, the path of a file or folder, or nothing. */
export async function convertModel(library: ModelLibrary, view: ModelsView, given: unknown): Promise<void> {
  const model = await chosenModel(library, given);
  if (model === undefined) return;
  const { offers, reason } = await library.offers(model);
  if (offers.length === 0) throw new Problem(reason ?? `${model} can be converted to nothing.`);
  const picked = await vscode.window.showQuickPick<OfferItem>(offers.map(offerItem), {
    title: `Convert ${model}`,
    placeHolder: "Choose what it is converted to",
  });
  if (!picked) return;
  const output = await vscode.window.showSaveDialog({
    title: `Convert ${model}`,
    saveLabel: "Convert",
    defaultUri: vscode.Uri.joinPath(folderOf(library.get(model)), resultName(model, picked.to)),
  });
  if (!output) return;
  if (output.scheme !== "file") throw new Problem("A model is written to this machine.", "Choose a folder of it.");
  const done = await cancellable(`Converting ${model}`, (progress, token) =>
    library.convert(model, picked.to, output.fsPath, telling(progress), token),
  );
  if (!done) return;
  if (done.model) await view.reveal(done.model.id);
  // Not awaited: the command is done when the model is there.
  void showWritten(resultText(done.result), output);
}

async function chosenModel(library: ModelLibrary, given: unknown): Promise<string | undefined> {
  if (typeof given === "string") return given;
  if ((given as { kind?: unknown } | undefined)?.kind === "adapter") return (given as { id: string }).id;
  return (await pickModel(library, given, ({ facts }) => facts !== null))?.id;
}

/** Beside the model where that is a folder of the user's own, else in the workspace or at home. */
function folderOf(model: ModelEntry | undefined): vscode.Uri {
  if (model && (model.source === "added" || model.source === "folder"))
    return vscode.Uri.joinPath(vscode.Uri.file(model.path), "..");
  return vscode.workspace.workspaceFolders?.[0]?.uri ?? vscode.Uri.file(process.env.HOME ?? "/");
}

/** Says on a notification what is being done, and how far it is. */
function telling(progress: Progress): (step: string, share: number | null) => void {
  let last = 0;
  return (step, share) => {
    const done = share === null ? 0 : Math.round(share * 100);
    // An increment cannot be taken back: the bar belongs to the step whose share is known.
    progress.report({ message: step, increment: Math.max(done - last, 0) });
    last = Math.max(done, last);
  };
}
