/** Which model `@peft` talks to: the one that was chosen, else the newest adapter, else the first base. */
import * as vscode from "vscode";

import { Problem } from "../problem";
import type { ChatModel } from "../protocol/types";
import type { RunStore } from "../runs/runStore";
import type { Server } from "../server/server";

const CHOSEN = "peft.chatModel";
const NEWEST = "Newest adapter";

export class ChatModels {
  private known: readonly ChatModel[] = [];
  private readonly emitter = new vscode.EventEmitter<void>();

  /** The models that can be chatted with may have changed. */
  readonly onDidChange = this.emitter.event;

  constructor(
    private readonly server: Server,
    private readonly store: RunStore,
    private readonly memory: vscode.Memento,
  ) {}

  register(): vscode.Disposable {
    return vscode.Disposable.from(
      this.emitter,
      this.store.onDidEnd(() => this.emitter.fire()),
      this.server.on("peft/models/changed")(() => this.emitter.fire()),
      this.server.onDidChangeState((state) => {
        if (state.kind === "running") this.emitter.fire();
      }),
    );
  }

  async list(): Promise<ChatModel[]> {
    const { models } = await this.server.request("peft/chat/models", {});
    this.known = models;
    return models;
  }

  /** A model's name for people, as the last list had it. */
  labelOf(id: string): string {
    return this.known.find((model) => model.id === id)?.label ?? id.slice(id.lastIndexOf("/") + 1);
  }

  async current(): Promise<ChatModel> {
    const models = await this.list();
    const byId = (id: string | null | undefined) => models.find((model) => model.id === id);
    const found =
      byId(this.memory.get(CHOSEN)) ??
      byId(this.store.newestWithAdapter?.chat_model) ??
      models.find((model) => model.run_id !== null) ??
      models[0];
    if (found) return found;
    throw new Problem("There is no model to chat with yet.", "Run a `.peft.yaml` file, and its adapter will be here.");
  }

  /** @param id undefined to follow the newest adapter again. */
  async choose(id: string | undefined): Promise<void> {
    await this.memory.update(CHOSEN, id);
  }

  /** Lets the user choose; resolves with false when nothing was chosen. */
  async letChoose(): Promise<boolean> {
    const current = this.memory.get<string>(CHOSEN);
    const models = await this.list();
    const marked = (label: string, id?: string) => `$(${id === current ? "check" : "blank"}) ${label}`;
    const items: (vscode.QuickPickItem & { id?: string })[] = [
      { label: marked(NEWEST), description: "follows the newest completed run" },
      ...models.map((model) => ({
        id: model.id,
        label: marked(model.label, model.id),
        description: model.run_id === null ? "base model" : "adapter",
        detail: `${model.base} · ${model.context_length.toLocaleString("en")} tokens of context`,
      })),
    ];
    const picked = await vscode.window.showQuickPick(items, {
      title: "Choose the model that @peft talks to",
      matchOnDescription: true,
      matchOnDetail: true,
    });
    if (picked) await this.choose(picked.id);
    return picked !== undefined;
  }
}
