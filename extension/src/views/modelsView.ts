/** The Models view: the tree, what may be dropped on it, and the filter that it is seen through. */
import * as vscode from "vscode";

import { filterText } from "../library/filter";
import type { ModelLibrary } from "../library/modelLibrary";
import type { Server } from "../server/server";
import { ModelsDrop } from "./modelsDrop";
import { type ModelRow, ModelsTree } from "./modelsTree";

export class ModelsView implements vscode.Disposable {
  private readonly view: vscode.TreeView<ModelRow>;
  private readonly parts: vscode.Disposable;

  constructor(
    server: Server,
    private readonly library: ModelLibrary,
  ) {
    const tree = new ModelsTree(library);
    this.view = vscode.window.createTreeView("peft.models", {
      treeDataProvider: tree,
      dragAndDropController: new ModelsDrop(library),
    });
    const show = () => {
      if (!this.view.visible) return;
      void server.start();
      void library.show();
    };
    show();
    this.parts = vscode.Disposable.from(
      tree,
      this.view,
      this.view.onDidChangeVisibility(show),
      library.onDidChange(() => this.tell()),
    );
  }

  /** Selects a model's row, and shows the view when it is hidden; a model that the filter hides has none. */
  async reveal(id: string): Promise<void> {
    if (this.library.get(id)) await this.view.reveal({ kind: "model", id }, { select: true, focus: true });
  }

  dispose(): void {
    this.parts.dispose();
  }

  private tell(): void {
    this.view.description = filterText(this.library.filter);
    void vscode.commands.executeCommand("setContext", "peft.modelsFiltered", this.library.filter.length > 0);
  }
}
