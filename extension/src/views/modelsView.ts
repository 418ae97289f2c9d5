/** The Models view: the tree, what may be dropped on it, and the filter that it is seen through. */
import * as vscode from "vscode";

import { filterText } from "../library/filter";
import type { ModelLibrary } from "../library/modelLibrary";
import type { Server } from "../server/server";
import { ModelsDrop } from "./modelsDrop";
import { ModelsTree } from "./modelsTree";

export function createModelsView(server: Server, library: ModelLibrary): vscode.Disposable {
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
  return vscode.Disposable.from(
    tree,
    view,
    view.onDidChangeVisibility(show),
    library.onDidChange(() => {
      view.description = filterText(library.filter);
      void vscode.commands.executeCommand("setContext", "peft.modelsFiltered", library.filter.length > 0);
    }),
  );
}
