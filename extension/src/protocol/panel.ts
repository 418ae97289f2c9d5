/** What the run panel's two halves say to each other. Each half checks what it gets: a webview is another origin. */
import type { RunSummary, Series } from "./types";
import type { RecoveryAction, RunEvent } from "./words";

/** From the extension to the webview. */
export type HostMessage =
  | {
      readonly type: "events";
      readonly run: RunSummary;
      readonly events: readonly RunEvent[];
      /** What was measured before these events: forget what was shown. Null where they follow those already given. */
      readonly history: readonly Series[] | null;
      /** Whether stopping and chatting are allowed here. */
      readonly trusted: boolean;
    }
  /** The run as it is now, where no event of its own said so: how far its tracker is. */
  | { readonly type: "run"; readonly run: RunSummary }
  /** All runs that are drawn beside this one. */
  | { readonly type: "compared"; readonly runs: readonly ComparedRun[] }
  | { readonly type: "record"; readonly facts: readonly Fact[] }
  | { readonly type: "problem"; readonly message: string; readonly remedy: string };

/** Another run, drawn beside this one. */
export interface ComparedRun {
  readonly id: string;
  readonly series: readonly Series[];
}

export type Fact = readonly [name: string, value: string];

/** A button of the panel that needs no more words. */
export type PanelButton =
  "pause" | "resume" | "stop" | "chat" | "openConfig" | "revealFolder" | "compare" | "compareNone" | "openRecord";

/** From the webview to the extension. */
export type PanelMessage =
  | { readonly type: "ready" | "record" | PanelButton }
  | { readonly type: "note"; readonly text: string }
  | { readonly type: "tag"; readonly tags: readonly string[] }
  | { readonly type: "pin"; readonly pinned: boolean }
  | { readonly type: "recover"; readonly anomaly: string; readonly action: RecoveryAction }
  | { readonly type: "undo"; readonly recovery: string };

const PLAIN_TYPES: ReadonlySet<unknown> = new Set<PanelMessage["type"]>([
  "ready",
  "record",
  "pause",
  "resume",
  "stop",
  "chat",
  "openConfig",
  "revealFolder",
  "compare",
  "compareNone",
  "openRecord",
]);

export function isPanelMessage(value: unknown): value is PanelMessage {
  if (!isRecord(value)) return false;
  // The daemon says which actions there are; here it matters that they are words.
  if (value.type === "recover") return typeof value.anomaly === "string" && typeof value.action === "string";
  if (value.type === "undo") return typeof value.recovery === "string";
  if (value.type === "note") return typeof value.text === "string";
  if (value.type === "tag") return isList(value.tags, (tag) => typeof tag === "string");
  if (value.type === "pin") return typeof value.pinned === "boolean";
  return PLAIN_TYPES.has(value.type);
}

export function isHostMessage(value: unknown): value is HostMessage {
  if (!isRecord(value)) return false;
  if (value.type === "problem") return typeof value.message === "string" && typeof value.remedy === "string";
  if (value.type === "compared") return isList(value.runs, isCompared);
  if (value.type === "record") return isList(value.facts, isFact);
  if (value.type === "run") return isRun(value.run);
  return (
    value.type === "events" &&
    (value.history === null || isList(value.history, isSeries)) &&
    typeof value.trusted === "boolean" &&
    isRun(value.run) &&
    isList(value.events, isEvent)
  );
}

/** What a panel keeps over a window reload. */
export interface PanelState {
  readonly runId: string;
  /** Which charts are shown, and how smooth; as it was never chosen where it is missing. */
  readonly shown?: readonly string[];
  readonly smoothing?: number;
  /** The runs that are drawn beside it. */
  readonly compared?: readonly string[];
}

export function isPanelState(value: unknown): value is PanelState {
  return (
    isRecord(value) &&
    typeof value.runId === "string" &&
    (value.shown === undefined || isList(value.shown, (id) => typeof id === "string")) &&
    (value.smoothing === undefined || typeof value.smoothing === "number") &&
    (value.compared === undefined || isList(value.compared, (id) => typeof id === "string"))
  );
}

function isRun(value: unknown): boolean {
  return isRecord(value) && typeof value.id === "string" && typeof value.state === "string" && isRecord(value.metrics);
}

function isEvent(value: unknown): boolean {
  return isRecord(value) && typeof value.seq === "number" && typeof value.type === "string";
}

function isSeries(value: unknown): boolean {
  return (
    isRecord(value) && typeof value.metric === "string" && Array.isArray(value.steps) && Array.isArray(value.values)
  );
}

function isCompared(value: unknown): boolean {
  return isRecord(value) && typeof value.id === "string" && isList(value.series, isSeries);
}

function isFact(value: unknown): boolean {
  return isList(value, (word) => typeof word === "string") && (value as unknown[]).length === 2;
}

function isList(value: unknown, isItem: (item: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(isItem);
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
