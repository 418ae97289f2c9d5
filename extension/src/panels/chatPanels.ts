/** The chat panel of this window, which a reload brings back. */
import * as vscode from "vscode";

import { isChatPanelState } from "../protocol/chatPanel";
import type { ChatSettings } from "../protocol/types";
import { ChatPanel, type ChatParts, settingsFor } from "./chatPanel";

const VIEW_TYPE = "peft.talk";

export class ChatPanels implements vscode.WebviewPanelSerializer {
  private panel: ChatPanel | undefined;

  constructor(private readonly parts: ChatParts) {}

  register(): vscode.Disposable {
    return vscode.window.registerWebviewPanelSerializer(VIEW_TYPE, this);
  }

  /** Shows the chat as it is, or a new one with the model that is chosen. */
  async open(): Promise<ChatPanel> {
    if (this.panel) {
      this.panel.reveal();
      return this.panel;
    }
    return this.begin((await this.parts.models.current()).id);
  }

  /** Begins a conversation with a model, as the last one was but for what is chosen. */
  async begin(model: string, chosen: Partial<ChatSettings> = {}): Promise<ChatPanel> {
    const settings = { ...settingsFor(this.parts.memory, model), ...chosen };
    const panel =
      this.panel ??
      this.adopt(vscode.window.createWebviewPanel(VIEW_TYPE, "PEFT Chat", vscode.ViewColumn.Beside), settings);
    panel.reveal();
    await panel.begin(settings);
    return panel;
  }

  async deserializeWebviewPanel(webview: vscode.WebviewPanel, state: unknown): Promise<void> {
    if (!isChatPanelState(state)) {
      webview.dispose();
      return;
    }
    const panel = this.adopt(webview, state.settings);
    if (state.id !== null) await panel.reopen(state.id);
  }

  private adopt(webview: vscode.WebviewPanel, settings: ChatSettings): ChatPanel {
    const panel = new ChatPanel(webview, this.parts, settings);
    this.panel = panel;
    webview.onDidDispose(() => {
      if (this.panel === panel) this.panel = undefined;
    });
    return panel;
  }
}
