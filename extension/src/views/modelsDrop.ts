/** Files that are dropped onto the Models view are added to the library. */
import * as vscode from "vscode";

import type { ModelLibrary } from "../library/modelLibrary";
import { showProblem } from "../notices";
import { Problem } from "../problem";
import type { ModelRow } from "./modelsTree";

const URIS = "text/uri-list";

export class ModelsDrop implements vscode.TreeDragAndDropController<ModelRow> {
  readonly dropMimeTypes = [URIS];
  readonly dragMimeTypes = [];

  constructor(private readonly library: ModelLibrary) {}

  async handleDrop(_: ModelRow | undefined, dropped: vscode.DataTransfer): Promise<void> {
    const text = (await dropped.get(URIS)?.asString()) ?? "";
    const uris = text.split(/\r?\n/).filter((line) => line !== "" && !line.startsWith("#"));
    await addAll(
      this.library,
      uris.map((uri) => vscode.Uri.parse(uri)),
    );
  }
}

/** Adds each, and says what could not be added; one that cannot does not stop the others. */
export async function addAll(library: ModelLibrary, uris: readonly vscode.Uri[]): Promise<void> {
  for (const uri of uris) {
    try {
      if (uri.scheme !== "file")
        throw new Problem(`${uri.path} is no file of this machine.`, "Copy it here, and add it then.");
      await library.add(uri.fsPath);
    } catch (error) {
      void showProblem(error);
    }
  }
}
