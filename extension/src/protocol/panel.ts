/** What the run panel's two halves say to each other. Each half checks what it gets: a webview is another origin. */
import type { RunSummary } from "./types";
import type { RecoveryAction, RunEvent } from "./words";

/** From the extension to the webview. */
export type HostMessage =
  | {
      readonly type: "events";
      readonly run: RunSummary;
      readonly events: readonly RunEvent[];
      /** These are all events, from the first on: forget what was shown. */
      readonly whole: boolean;
      /** Whether stopping and chatting are allowed here. */
      readonly trusted: boolean;
    }
  | { readonly type: "problem"; readonly message: string; readonly remedy: string };

/** A button of the panel that needs no more words. */
export type PanelButton = "pause" | "resume" | "stop" | "chat" | "openConfig" | "revealFolder";

/** From the webview to the extension. */
export type PanelMessage =
  | { readonly type: "ready" | PanelButton }
  | { readonly type: "recover"; readonly anomaly: string; readonly action: RecoveryAction }
  | { readonly type: "undo"; readonly recovery: string };

const PLAIN_TYPES: ReadonlySet<unknown> = new Set<PanelMessage["type"]>([
  "ready",
  "pause",
  "resume",
  "stop",
  "chat",
  "openConfig",
  "revealFolder",
]);

export function isPanelMessage(value: unknown): value is PanelMessage {
  if (!isRecord(value)) return false;
  // The daemon says which actions there are; here it matters that they are words.
  if (value.type === "recover") return typeof value.anomaly === "string" && typeof value.action === "string";
  if (value.type === "undo") return typeof value.recovery === "string";
  return PLAIN_TYPES.has(value.type);
}

export function isHostMessage(value: unknown): value is HostMessage {
  if (!isRecord(value)) return false;
  if (value.type === "problem") return typeof value.message === "string" && typeof value.remedy === "string";
  return (
    value.type === "events" &&
    typeof value.whole === "boolean" &&
    typeof value.trusted === "boolean" &&
    isRun(value.run) &&
    Array.isArray(value.events) &&
    value.events.every(isEvent)
  );
}

/** What a panel keeps over a window reload. */
export interface PanelState {
  readonly runId: string;
}

export function isPanelState(value: unknown): value is PanelState {
  return isRecord(value) && typeof value.runId === "string";
}

function isRun(value: unknown): boolean {
  return isRecord(value) && typeof value.id === "string" && typeof value.state === "string" && isRecord(value.metrics);
}

function isEvent(value: unknown): boolean {
  return isRecord(value) && typeof value.seq === "number" && typeof value.type === "string";
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
