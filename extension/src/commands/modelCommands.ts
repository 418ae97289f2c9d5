/** What can be done with the models of the library. */
import * as vscode from "vscode";

import { baseEdit } from "../library/baseEdit";
import { FILTER_CHOICES, type FilterChoice } from "../library/filter";
import type { ModelLibrary } from "../library/modelLibrary";
import type { ChatPanels } from "../panels/chatPanels";
import { Problem } from "../problem";
import type { ModelEntry } from "../protocol/types";
import { addAll } from "../views/modelsDrop";
import type { ModelRow } from "../views/modelsTree";
import { configUri } from "./configFile";
import { openFile, reveal } from "./reveal";

/** `PEFT: Add Model`: by the editor's file dialog. */
export async function addModel(library: ModelLibrary): Promise<void> {
  const chosen = await vscode.window.showOpenDialog({
    title: "Add a GGUF file, or one of a folder's safetensors files",
    openLabel: "Add",
    canSelectMany: true,
    filters: { Models: ["gguf", "safetensors"] },
  });
  // Safetensors files say nothing without the config beside them: the model is the folder.
  await addAll(
    library,
    (chosen ?? []).map((uri) => (uri.path.endsWith(".safetensors") ? vscode.Uri.joinPath(uri, "..") : uri)),
  );
}

/** `PEFT: Look for Models`: in all the places where models are kept, which may take seconds. */
export async function scanModels(library: ModelLibrary): Promise<void> {
  await vscode.window.withProgress({ location: { viewId: "peft.models" } }, () => library.scan());
}

/** `PEFT: Filter Models`. */
export async function filterModels(library: ModelLibrary): Promise<void> {
  const picked = await vscode.window.showQuickPick(filterItems(library.filter), {
    canPickMany: true,
    title: "Filter Models",
    placeHolder: "Choose what is shown; nothing for all",
  });
  if (picked) await library.filterBy(picked.flatMap(({ choice }) => choice ?? []));
}

/** `PEFT: Chat with Model`: a conversation with a base or an adapter of the Models view. */
export async function chatWithModel(library: ModelLibrary, chats: ChatPanels, given: unknown): Promise<void> {
  const id = isAdapter(given) ? given.id : (await pickModel(library, given, ({ facts }) => facts !== null))?.id;
  if (id !== undefined) await chats.begin(id);
}

/** `PEFT: Copy Model Id`: as the HTTP API and the command line take it. */
export async function copyModelId(library: ModelLibrary, given: unknown): Promise<void> {
  const id = isAdapter(given) ? given.id : (await pickModel(library, given))?.id;
  if (id !== undefined) await vscode.env.clipboard.writeText(id);
}

/** `PEFT: Reveal Model File`. */
export async function revealModel(library: ModelLibrary, given: unknown): Promise<void> {
  const model = await pickModel(library, given);
  if (model) await reveal(vscode.Uri.file(model.path));
}

/** `PEFT: Open Model Definition`. */
export async function openDefinition(library: ModelLibrary, given: unknown): Promise<void> {
  const model = await pickModel(library, given, ({ definition }) => Boolean(definition));
  if (model?.definition) await openFile(model.definition);
}

/** `PEFT: Use Model as Base`: writes `model.base` of the config in the active editor. */
export async function useAsBase(library: ModelLibrary, given: unknown): Promise<void> {
  const uri = configUri(undefined, "There is no config to write the model to.");
  const model = await pickModel(library, given, ({ base }) => base !== null);
  if (!model?.base) return;
  const document = await vscode.workspace.openTextDocument(uri);
  const { line, start, end, text } = baseEdit(document.getText().split(/\r?\n/), model.base);
  const edit = new vscode.WorkspaceEdit();
  edit.replace(uri, new vscode.Range(line, start, line, end), text);
  if (!(await vscode.workspace.applyEdit(edit)))
    throw new Problem(`${vscode.workspace.asRelativePath(uri)} could not be changed.`, "See that it can be written.");
}

/** `PEFT: Forget Model`: takes it off the list. */
export async function forgetModel(library: ModelLibrary, given: unknown): Promise<void> {
  const model = await pickModel(library, given);
  if (model) await library.forget(model.id);
}

function isAdapter(given: unknown): given is Extract<ModelRow, { kind: "adapter" }> {
  return (given as ModelRow | undefined)?.kind === "adapter";
}

/** The model of a row, else one that is picked from those that fit. */
export async function pickModel(
  library: ModelLibrary,
  given: unknown,
  fits: (model: ModelEntry) => boolean = () => true,
): Promise<ModelEntry | undefined> {
  const row = given as ModelRow | undefined;
  if (row?.kind === "model" && library.get(row.id)) return library.get(row.id);
  await library.load();
  if (row?.kind === "model") return present(library, row.id);
  const items = library.models.filter(fits).map((model) => ({ label: model.id, detail: model.path, model }));
  if (items.length === 0) throw new Problem("There is no such model in the library.", "Add one, or look for some.");
  const options = { placeHolder: "Choose a model", matchOnDetail: true };
  return (await vscode.window.showQuickPick(items, options))?.model;
}

/** A row may outlive its model. */
function present(library: ModelLibrary, id: string): ModelEntry {
  const model = library.get(id);
  if (!model) throw new Problem(`There is no model ${id} in the library any more.`, "Add it, or look for models.");
  return model;
}

type FilterItem = vscode.QuickPickItem & { choice?: FilterChoice };

function filterItems(chosen: readonly FilterChoice[]): FilterItem[] {
  return FILTER_CHOICES.flatMap((choice, place): FilterItem[] => {
    const item = { label: choice.label, picked: chosen.includes(choice), choice };
    const isFirst = FILTER_CHOICES[place - 1]?.group !== choice.group;
    return isFirst ? [{ label: choice.group, kind: vscode.QuickPickItemKind.Separator }, item] : [item];
  });
}
