/** What the chat panel's two halves say to each other. Each half checks what it gets: a webview is another origin. */
import type { ModelState } from "../chat/modelState";
import type { ShownExchange } from "../chat/talk";
import type { ChatModel, ChatSettings } from "./types";

/** All that the page shows. */
export interface ChatPageState {
  /** The kept conversation's id; null before the first answer. */
  readonly id: string | null;
  readonly title: string;
  readonly exchanges: readonly ShownExchange[];
  readonly settings: ChatSettings;
  readonly models: readonly ChatModel[];
  readonly model: ModelState;
  readonly answering: boolean;
  /** Prompts to begin with. */
  readonly examples: readonly string[];
  /** What the next prompt is about. */
  readonly context: ContextChip | null;
  /** Whether chatting is allowed here. */
  readonly trusted: boolean;
}

export interface ContextChip {
  /** Where it is from: `train.py, lines 3–9`. */
  readonly label: string;
  readonly text: string;
}

/** From the extension to the webview. */
export type ChatHostMessage =
  | { readonly type: "state"; readonly state: ChatPageState }
  | { readonly type: "text"; readonly at: number; readonly side: number; readonly text: string }
  | { readonly type: "problem"; readonly message: string; readonly remedy: string }
  | { readonly type: "focus" };

/** A button of the page that needs no more words. */
export type ChatButton =
  "stop" | "load" | "unload" | "useSelection" | "dropContext" | "history" | "new" | "export" | "rename";

/** From the webview to the extension. */
export type ChatPageMessage =
  | { readonly type: "ready" | ChatButton }
  | { readonly type: "ask"; readonly prompt: string }
  | { readonly type: "regenerate"; readonly at: number }
  | { readonly type: "edit"; readonly at: number; readonly prompt: string }
  | { readonly type: "settings"; readonly settings: ChatSettings }
  | { readonly type: "insert" | "copy"; readonly text: string };

const PLAIN_TYPES: ReadonlySet<unknown> = new Set<ChatPageMessage["type"]>([
  "ready",
  "stop",
  "load",
  "unload",
  "useSelection",
  "dropContext",
  "history",
  "new",
  "export",
  "rename",
]);

export function isChatPageMessage(value: unknown): value is ChatPageMessage {
  if (!isRecord(value)) return false;
  switch (value.type) {
    case "ask":
      return typeof value.prompt === "string";
    case "regenerate":
      return isPlace(value.at);
    case "edit":
      return isPlace(value.at) && typeof value.prompt === "string";
    case "settings":
      return isSettings(value.settings);
    case "insert":
    case "copy":
      return typeof value.text === "string";
    default:
      return PLAIN_TYPES.has(value.type);
  }
}

export function isChatHostMessage(value: unknown): value is ChatHostMessage {
  if (!isRecord(value)) return false;
  switch (value.type) {
    case "focus":
      return true;
    case "problem":
      return typeof value.message === "string" && typeof value.remedy === "string";
    case "text":
      return isPlace(value.at) && isPlace(value.side) && typeof value.text === "string";
    case "state":
      return isState(value.state);
    default:
      return false;
  }
}

/** What the panel keeps over a window reload. */
export interface ChatPanelState {
  readonly id: string | null;
  readonly settings: ChatSettings;
  /** What was typed and not yet sent. */
  readonly draft: string;
}

export function isChatPanelState(value: unknown): value is ChatPanelState {
  return (
    isRecord(value) &&
    (value.id === null || typeof value.id === "string") &&
    typeof value.draft === "string" &&
    isSettings(value.settings)
  );
}

function isState(value: unknown): boolean {
  return (
    isRecord(value) &&
    typeof value.title === "string" &&
    typeof value.answering === "boolean" &&
    typeof value.trusted === "boolean" &&
    Array.isArray(value.exchanges) &&
    value.exchanges.every((exchange) => isRecord(exchange) && Array.isArray(exchange.answers)) &&
    Array.isArray(value.models) &&
    Array.isArray(value.examples) &&
    isRecord(value.model) &&
    isSettings(value.settings)
  );
}

/** Within the ranges that the daemon takes: what lies outside would end as a failure to keep the answer. */
function isSettings(value: unknown): value is ChatSettings {
  if (!isRecord(value)) return false;
  const isNumberIn = (name: string, low: number, high: number) => {
    const number = value[name];
    return typeof number === "number" && number >= low && number <= high;
  };
  return (
    typeof value.model === "string" &&
    (value.compare_with === null || typeof value.compare_with === "string") &&
    typeof value.system === "string" &&
    isNumberIn("temperature", 0, 2) &&
    isNumberIn("top_p", Number.MIN_VALUE, 1) &&
    isNumberIn("max_tokens", 1, Number.MAX_SAFE_INTEGER) &&
    (value.seed === null || isNumberIn("seed", 0, 2 ** 32 - 1))
  );
}

function isPlace(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
