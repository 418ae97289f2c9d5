/** The Models view: the tree, what may be dropped on it, and the filter that it is seen through. */
import * as vscode from "vscode";

import { filterText } from "../library/filter";
import type { ModelLibrary } from "../library/modelLibrary";
import type { Server } from "../server/server";
import { ModelsDrop } from "./modelsDrop";
import { ModelsTree } from "./modelsTree";

export interface ModelsView extends vscode.Disposable {
  /** Selects a model's row, and shows the view when it is hidden. */
  reveal(id: string): Promise<void>;
}

export function createModelsView(server: Server, library: ModelLibrary): ModelsView {
  const tree = new ModelsTree(library);
  const view = vscode.window.createTreeView("peft.models", {
    treeDataProvider: tree,
    dragAndDropController: new ModelsDrop(library),
  });
  const show = () => {
    if (!view.visible) return;
    void server.start();
    void library.show();
  };
  show();
  const parts = vscode.Disposable.from(
    tree,
    view,
    view.onDidChangeVisibility(show),
    library.onDidChange(() => {
      view.description = filterText(library.filter);
      void vscode.commands.executeCommand("setContext", "peft.modelsFiltered", library.filter.length > 0);
    }),
  );
  return {
    reveal: async (id) => {
      // A filter may hide it, and then there is no row.
      if (library.get(id)) await view.reveal({ kind: "model", id }, { select: true, focus: true });
    },
    dispose: () => void parts.dispose(),
  };
}
