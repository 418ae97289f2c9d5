/** Completion as one types, where somebody has asked for it and the model in use was made to fill in the middle. */
import * as vscode from "vscode";

import type { ServeEndpoint } from "../protocol/types";
import type { ModelServer } from "../serving/modelServer";
import { canInfill, firstLines, infill } from "./infill";

/** Without another key for so long, somebody waits for an answer. */
const PAUSE_MS = 300;
/** Characters around the cursor: what a small model reads in well under a second. */
const BEFORE = 4_000;
const AFTER = 1_000;
const TOKENS_A_LINE = 24;

export class InlineCompletion implements vscode.InlineCompletionItemProvider {
  /** Whether a model can fill in the middle, by its id. */
  private readonly able = new Map<string, boolean>();

  constructor(
    private readonly serving: ModelServer,
    private readonly log: vscode.LogOutputChannel,
  ) {}

  register(): vscode.Disposable {
    return vscode.languages.registerInlineCompletionItemProvider({ scheme: "file" }, this);
  }

  async provideInlineCompletionItems(
    document: vscode.TextDocument,
    position: vscode.Position,
    _context: vscode.InlineCompletionContext,
    token: vscode.CancellationToken,
  ): Promise<vscode.InlineCompletionItem[]> {
    const { enabled, maxLines } = settings(document);
    const model = this.model();
    if (!enabled || model === undefined || !vscode.workspace.isTrusted || !(await pause(token))) return [];
    const abort = new AbortController();
    const cancelled = token.onCancellationRequested(() => abort.abort());
    try {
      const endpoint = await this.serving.endpoint();
      if (!(await this.isAble(endpoint, model, abort.signal))) return [];
      const at = document.offsetAt(position);
      const text = document.getText();
      const gap = { model, prefix: text.slice(Math.max(0, at - BEFORE), at), suffix: text.slice(at, at + AFTER) };
      const answer = await infill(endpoint, { ...gap, maxTokens: maxLines * TOKENS_A_LINE }, abort.signal);
      const shown = firstLines(answer, maxLines);
      return shown === "" ? [] : [new vscode.InlineCompletionItem(shown, new vscode.Range(position, position))];
    } catch (error) {
      // A notification at each key would be worse than no completion.
      if (!abort.signal.aborted) this.log.warn(`No inline completion: ${String(error)}`);
      return [];
    } finally {
      cancelled.dispose();
    }
  }

  /** The model in use, if it is in memory: no key that is pressed starts a process or loads a model. */
  private model(): string | undefined {
    const { status } = this.serving;
    return status?.state === "running" ? (status.model ?? status.loaded?.[0]) : undefined;
  }

  private async isAble(endpoint: ServeEndpoint, model: string, signal: AbortSignal): Promise<boolean> {
    const known = this.able.get(model);
    if (known !== undefined) return known;
    const able = await canInfill(endpoint, model, signal);
    this.able.set(model, able);
    if (!able)
      void vscode.window.showInformationMessage(
        `Inline completion is not available for ${model}: it was not made to fill in the middle. Switch to a model that was, or turn peft.inlineCompletion.enabled off.`,
      );
    return able;
  }
}

function settings(document: vscode.TextDocument): { enabled: boolean; maxLines: number } {
  const configuration = vscode.workspace.getConfiguration("peft.inlineCompletion", document);
  return { enabled: configuration.get("enabled", false), maxLines: configuration.get("maxLines", 4) };
}

/** Resolves with false when another key was pressed meanwhile. */
function pause(token: vscode.CancellationToken): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => finish(true), PAUSE_MS);
    const subscription = token.onCancellationRequested(() => finish(false));
    const finish = (goOn: boolean) => {
      clearTimeout(timer);
      subscription.dispose();
      resolve(goOn);
    };
  });
}
