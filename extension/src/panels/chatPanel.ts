/** The chat panel: the extension's half. */
import * as vscode from "vscode";

import { complete } from "../chat/completion";
import { exportConversation, pickConversation, renameConversation } from "../chat/conversations";
import type { LastEditor } from "../chat/lastEditor";
import { parseId } from "../chat/modelId";
import { type ModelState, modelState } from "../chat/modelState";
import type { ChatModels } from "../chat/models";
import { Talk, type TalkReader, type TalkSource } from "../chat/talk";
import { Problem } from "../problem";
import { type ChatHostMessage, type ChatPageMessage, type ContextChip, isChatPageMessage } from "../protocol/chatPanel";
import type { ChatModel, ChatSettings } from "../protocol/types";
import type { Server } from "../server/server";
import type { ModelServer } from "../serving/modelServer";
import { fileIcon } from "../views/icons";
import { showPage } from "./showPage";

/** What the panel works with. */
export interface ChatParts {
  readonly server: Server;
  readonly serving: ModelServer;
  readonly models: ChatModels;
  readonly lastEditor: LastEditor;
  readonly extensionUri: vscode.Uri;
  readonly log: vscode.LogOutputChannel;
  /** Remembers the settings of the last conversation for the next. */
  readonly memory: vscode.Memento;
}

const NEW_CHAT = "New chat";
const REMEMBERED = "peft.chatSettings";

export class ChatPanel implements TalkReader {
  private talk: Talk;
  private known: readonly ChatModel[] = [];
  private examples: readonly string[] = [];
  private context: ContextChip | null = null;
  private loading: vscode.CancellationTokenSource | undefined;
  private readonly source: TalkSource;
  private readonly subscriptions: vscode.Disposable[];

  constructor(
    private readonly panel: vscode.WebviewPanel,
    private readonly parts: ChatParts,
    settings: ChatSettings,
  ) {
    this.source = sourceOf(parts.server);
    this.talk = new Talk(this.source, this, settings);
    this.subscriptions = [
      parts.serving.onDidChange(() => this.show()),
      parts.models.onDidChange(() => this.refresh()),
      vscode.workspace.onDidGrantWorkspaceTrust(() => this.refresh()),
    ];
    panel.iconPath = fileIcon(parts.extensionUri);
    panel.webview.onDidReceiveMessage((message: unknown) => {
      if (isChatPageMessage(message)) void this.attempt(() => this.received(message));
    });
    panel.onDidDispose(() => this.dispose());
    showPage(panel.webview, "chat", parts.extensionUri);
  }

  reveal(): void {
    this.panel.reveal();
    this.send({ type: "focus" });
  }

  /** Begins a conversation with a model, and brings it into memory. */
  async begin(settings: ChatSettings): Promise<void> {
    this.replace(new Talk(this.source, this, settings));
    await this.attempt(async () => {
      await this.refresh();
      await this.load();
    });
  }

  /** Goes on with a conversation that was kept. */
  async reopen(id: string): Promise<void> {
    await this.attempt(async () => {
      const conversation = await this.parts.server.request("peft/conversations/open", { id });
      this.replace(Talk.reopen(this.source, this, conversation));
      await this.refresh();
    });
  }

  /** Asks what somebody has asked elsewhere. */
  async ask(prompt: string): Promise<void> {
    await this.attempt(() => this.answered(this.talk.ask(prompt)));
  }

  /** Makes the next prompt one about what is selected in the editor. */
  async takeSelection(): Promise<void> {
    await this.attempt(() => {
      this.context = this.parts.lastEditor.selection();
      this.show();
      this.send({ type: "focus" });
    });
  }

  onChange(): void {
    this.show();
  }

  onText(at: number, side: number, text: string): void {
    this.send({ type: "text", at, side, text });
  }

  onProblem({ message, remedy }: Problem): void {
    this.send({ type: "problem", message, remedy });
  }

  private async received(message: ChatPageMessage): Promise<void> {
    const { talk } = this;
    switch (message.type) {
      case "ready":
        this.show();
        return this.refresh();
      case "ask": {
        const { context } = this;
        this.context = null;
        return this.answered(talk.ask(message.prompt, context?.text ?? null));
      }
      case "regenerate":
        return this.answered(talk.regenerate(message.at));
      case "edit":
        return this.answered(talk.edit(message.at, message.prompt));
      case "stop": {
        talk.stop();
        return;
      }
      case "settings":
        return this.useSettings(message.settings);
      case "load":
        return this.load();
      case "unload":
        return this.unload();
      case "useSelection":
        return this.takeSelection();
      case "dropContext":
        this.context = null;
        {
          this.show();
          return;
        }
      case "insert":
        return this.parts.lastEditor.insert(message.text);
      case "copy":
        return vscode.env.clipboard.writeText(message.text);
      case "history":
        return this.chooseConversation();
      case "new":
        this.replace(new Talk(this.source, this, talk.settings));
        return this.refresh();
      case "rename":
        return this.rename();
      case "export":
        if (talk.summary) await exportConversation(this.parts.server, talk.summary.id);
    }
  }

  /** Waits for an answer. Where the model's process ended in the middle of it, the next prompt is to find another. */
  private async answered(answering: Promise<void>): Promise<void> {
    const { talk } = this;
    await answering;
    const errors = talk.exchanges.at(-1)?.answers.map(({ error }) => error?.code) ?? [];
    if (talk === this.talk && errors.includes("serve-failed")) await this.load();
  }

  private async useSettings(settings: ChatSettings): Promise<void> {
    const before = this.talk.settings;
    this.talk.use(settings);
    await this.parts.memory.update(REMEMBERED, settings);
    if (settings.model === before.model && settings.compare_with === before.compare_with) return;
    await this.refresh();
    // Whoever talks to one model and chooses another wants to go on talking.
    if (modelState(this.parts.serving.status, this.basesOf(before)).kind === "ready") await this.load();
  }

  private async load(): Promise<void> {
    this.loading?.cancel();
    const loading = (this.loading = new vscode.CancellationTokenSource());
    try {
      for (const model of this.wanted()) {
        if (loading.token.isCancellationRequested) return;
        if (this.stateOf([model]).kind !== "ready") await this.parts.serving.load(model, loading.token);
      }
    } catch (error) {
      if (!loading.token.isCancellationRequested) throw error;
    } finally {
      if (this.loading === loading) this.loading = undefined;
      loading.dispose();
    }
  }

  private async unload(): Promise<void> {
    if (this.loading) {
      this.loading.cancel();
      return;
    }
    for (const model of new Set(this.basesOf(this.talk.settings))) await this.parts.serving.unload(model);
  }

  private async chooseConversation(): Promise<void> {
    const forget = (id: string) => {
      if (id !== this.talk.summary?.id) return;
      this.talk.deleted();
      this.replace(new Talk(this.source, this, this.talk.settings));
    };
    const onRenamed = (conversation: Parameters<Talk["renamed"]>[0]) => this.talk.renamed(conversation);
    const id = await pickConversation(this.parts.server, { onRenamed, onDeleted: forget });
    if (id !== undefined) await this.reopen(id);
  }

  private async rename(): Promise<void> {
    const { summary } = this.talk;
    const renamed = summary && (await renameConversation(this.parts.server, summary));
    if (renamed) this.talk.renamed(renamed);
  }

  private replace(talk: Talk): void {
    // What is being written is kept with the conversation that it belongs to.
    this.talk.stop();
    this.talk = talk;
    this.show();
  }

  /** Asks anew what can be chatted with, and what it can be asked. */
  private async refresh(): Promise<void> {
    if (!vscode.workspace.isTrusted) {
      this.show();
      return;
    }
    this.known = await this.parts.models.list();
    this.show();
    const run_id = this.known.find(({ id }) => id === this.talk.settings.model)?.run_id ?? null;
    this.examples = (await this.parts.server.request("peft/profile/prompts", { run_id })).prompts;
    this.show();
  }

  private show(): void {
    const { talk } = this;
    const title = talk.summary?.title ?? NEW_CHAT;
    this.panel.title = title === NEW_CHAT ? "PEFT Chat" : title;
    this.send({
      type: "state",
      state: {
        id: talk.summary?.id ?? null,
        title,
        exchanges: talk.exchanges,
        settings: talk.settings,
        models: this.known,
        model: this.stateOf(this.wanted()),
        answering: talk.isAnswering,
        examples: this.examples,
        context: this.context,
        trusted: vscode.workspace.isTrusted,
      },
    });
  }

  private wanted(): string[] {
    const { model, compare_with: other } = this.talk.settings;
    return other ? [model, other] : [model];
  }

  private stateOf(models: readonly string[]): ModelState {
    return modelState(
      this.parts.serving.status,
      models.map((model) => this.baseOf(model)),
    );
  }

  private basesOf({ model, compare_with: other }: ChatSettings): string[] {
    return [model, ...(other ? [other] : [])].map((id) => this.baseOf(id));
  }

  private baseOf(model: string): string {
    return parseId(model, this.known)?.base ?? model;
  }

  private async attempt(work: () => unknown): Promise<void> {
    try {
      await work();
    } catch (error) {
      const problem = Problem.from(error);
      this.parts.log.error(problem.cause instanceof Error ? problem.cause : problem.text);
      this.onProblem(problem);
    }
  }

  private send(message: ChatHostMessage): void {
    // A hidden panel has no document: what is sent to it is lost, and when it is shown again it says that it is ready.
    if (this.panel.visible) void this.panel.webview.postMessage(message);
  }

  private dispose(): void {
    this.talk.stop();
    this.loading?.cancel();
    for (const subscription of this.subscriptions) subscription.dispose();
  }
}

/** What a new conversation begins with: as the last one was, with another model. */
export function settingsFor(memory: vscode.Memento, model: string): ChatSettings {
  const defaults = { system: "", temperature: 0.7, top_p: 0.95, max_tokens: 512, seed: null };
  return { ...defaults, ...memory.get<Partial<ChatSettings>>(REMEMBERED), model, compare_with: null };
}

function sourceOf(server: Server): TalkSource {
  return {
    async ask({ model, messages, settings, seed }, onText, signal) {
      const cancel = new vscode.CancellationTokenSource();
      signal.addEventListener("abort", () => cancel.cancel());
      try {
        const { max_tokens, temperature, top_p } = settings;
        return await complete(server, { model, messages, seed, max_tokens, temperature, top_p }, onText, cancel.token);
      } finally {
        cancel.dispose();
      }
    },
    keep: (params) => server.request("peft/conversations/keep", params),
  };
}
