/** Offers the local models to every chat of the editor, as a language-model provider. */
import * as vscode from "vscode";

import { Problem } from "../problem";
import type { ChatModel } from "../protocol/types";
import type { Server } from "../server/server";
import { outputTokens } from "../serving/endpoint";
import type { ModelServer } from "../serving/modelServer";
import { complete } from "./completion";
import type { ChatModels } from "./models";
import { callPart, toolsOf, turnsOf } from "./requestMessages";
import { countedTurns, countTokens, estimateTokens } from "./tokens";

/** Newer than some forks of the editor that otherwise run this extension. */
export const languageModels = vscode.lm as Partial<typeof vscode.lm> | undefined;

export const VENDOR = "peft-workbench";

class Provider implements vscode.LanguageModelChatProvider {
  readonly onDidChangeLanguageModelChatInformation: vscode.Event<void>;

  constructor(
    private readonly server: Server,
    private readonly models: ChatModels,
    private readonly serving: ModelServer,
  ) {
    this.onDidChangeLanguageModelChatInformation = models.onDidChange;
  }

  async provideLanguageModelChatInformation(options: {
    silent: boolean;
  }): Promise<vscode.LanguageModelChatInformation[]> {
    if (!vscode.workspace.isTrusted) return [];
    if (options.silent && this.server.state.kind !== "running") return [];
    return (await this.models.list()).map(information);
  }

  async provideLanguageModelChatResponse(
    model: vscode.LanguageModelChatInformation,
    messages: readonly vscode.LanguageModelChatRequestMessage[],
    options: vscode.ProvideLanguageModelChatResponseOptions,
    progress: vscode.Progress<vscode.LanguageModelResponsePart>,
    token: vscode.CancellationToken,
  ): Promise<void> {
    const limit: unknown = options.modelOptions?.max_tokens;
    const question = {
      model: model.id,
      messages: messages.flatMap(turnsOf),
      ...toolsOf(options),
      max_tokens: typeof limit === "number" ? limit : model.maxOutputTokens,
    };
    try {
      const write = (text: string) => progress.report(new vscode.LanguageModelTextPart(text));
      const { tool_calls = [] } = await complete(this.server, question, write, token);
      for (const call of tool_calls) progress.report(callPart(call));
    } catch (error) {
      throw new Error(Problem.from(error).text, { cause: error });
    }
  }

  /** VS Code asks very often: where the model is not in memory, nothing is loaded for it and the count is an estimate. */
  async provideTokenCount(
    model: vscode.LanguageModelChatInformation,
    text: string | vscode.LanguageModelChatRequestMessage,
    token: vscode.CancellationToken,
  ): Promise<number> {
    const counted = typeof text === "string" ? { text, turns: 0 } : countedTurns(turnsOf(text));
    if (!this.serving.holds(model.family)) return estimateTokens(counted);
    const abort = new AbortController();
    const cancelled = token.onCancellationRequested(() => abort.abort());
    try {
      return await countTokens(await this.serving.endpoint(), model.id, counted, abort.signal);
    } catch {
      // It may have left memory meanwhile.
      return estimateTokens(counted);
    } finally {
      cancelled.dispose();
    }
  }
}

/** Undefined where the editor has no language models. */
export function registerProvider(
  server: Server,
  models: ChatModels,
  serving: ModelServer,
): vscode.Disposable | undefined {
  return languageModels?.registerLanguageModelChatProvider?.(VENDOR, new Provider(server, models, serving));
}

function information(model: ChatModel): vscode.LanguageModelChatInformation {
  const maxOutputTokens = outputTokens(model.context_length);
  const offered = {
    id: model.id,
    name: model.label,
    family: model.base,
    version: model.run_id ?? "base",
    tooltip:
      model.run_id === null ? `${model.base}, on this machine` : `${model.base} with an adapter, on this machine`,
    maxInputTokens: model.context_length - maxOutputTokens,
    maxOutputTokens,
    capabilities: { toolCalling: model.tool_calling },
    // Not yet in the stable typings, but without it some versions leave the model out of the picker.
    isUserSelectable: true,
  };
  return offered;
}
