/** The chat panel's page outside the editor. */
import type { Page } from "@playwright/test";

import type { ShownAnswer, ShownExchange } from "../../src/chat/talk";
import type { ChatHostMessage, ChatPageMessage, ChatPageState } from "../../src/protocol/chatPanel";
import type { ChatModel } from "../../src/protocol/types";
import { type PageOptions, WebviewPage } from "./webviewPage";

const BASE = "HuggingFaceTB/SmolLM2-135M-Instruct";
const model = (label: string, run_id: string | null): ChatModel => ({
  id: run_id === null ? BASE : `${BASE}:${run_id}`,
  label,
  base: BASE,
  run_id,
  context_length: 8192,
  tool_calling: false,
});
export const MODELS = [
  model("SmolLM2-135M-Instruct", null),
  model("release-notes-1 on SmolLM2-135M-Instruct", "release-notes-1"),
  model("house-style-2 on SmolLM2-135M-Instruct", "house-style-2"),
];
export const TUNED = `${BASE}:release-notes-1`;
export { BASE };

export const STATE: ChatPageState = {
  id: null,
  title: "New chat",
  exchanges: [],
  settings: {
    model: TUNED,
    compare_with: null,
    system: "",
    temperature: 0.7,
    top_p: 0.95,
    max_tokens: 512,
    seed: null,
  },
  models: MODELS,
  model: { kind: "ready", text: "Ready", progress: null },
  answering: false,
  examples: ["Summarise in one sentence: it works.", "List the three decisions.", "Shorten this report."],
  context: null,
  trusted: true,
};

export function exchange(prompt: string, ...answers: Partial<ShownAnswer>[]): ShownExchange {
  const complete = { model: TUNED, text: "", finish_reason: "stop" as const };
  return { prompt, context: null, answers: answers.map((answer) => ({ ...complete, ...answer })) };
}

export class ChatPage extends WebviewPage<ChatHostMessage, ChatPageMessage> {
  static async open(page: Page, options: PageOptions = {}): Promise<ChatPage> {
    const chat = new ChatPage(page);
    await chat.load("chat", options);
    return chat;
  }

  async show(state: Partial<ChatPageState> = {}): Promise<void> {
    await this.send({ type: "state", state: { ...STATE, ...state } });
  }

  /** What was said since the page said that it is ready. */
  async said(): Promise<ChatPageMessage[]> {
    return (await this.sent()).slice(1);
  }
}
