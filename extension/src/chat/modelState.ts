/** Whether a model can answer now, from what the inference process says of itself. */
import type { ServeStatus } from "../protocol/types";

export interface ModelState {
  readonly kind: "none" | "loading" | "ready" | "error";
  /** For people. */
  readonly text: string;
  /** From 0 to 1, where it is known. */
  readonly progress: number | null;
}

const NONE: ModelState = { kind: "none", text: "Not loaded", progress: null };
const READY: ModelState = { kind: "ready", text: "Ready", progress: null };

/** @param bases the base of each model that has to answer: one, or the two of a comparison */
export function modelState(status: ServeStatus | undefined, bases: readonly string[]): ModelState {
  if (status?.state === "starting") return loading("Starting the model server", null);
  if (status?.state === "error") return failed(status.error);
  if (status?.state !== "running") return NONE;
  const states = bases.map((base) => baseState(status, base));
  const order: readonly ModelState["kind"][] = ["error", "loading", "none"];
  for (const kind of order) {
    const found = states.find((state) => state.kind === kind);
    if (found) return found;
  }
  return READY;
}

function baseState(status: ServeStatus, base: string): ModelState {
  const resident = status.models?.find((model) => model.base === base);
  switch (resident?.state) {
    case "ready":
      return READY;
    case "loading":
      return loading("Loading the model", resident.progress ?? null);
    case "error":
      return failed(resident.error);
    case undefined:
      return status.loaded?.includes(base) ? READY : NONE;
  }
}

function loading(text: string, progress: number | null): ModelState {
  const share = progress === null ? "" : ` ${Math.round(progress * 100)} %`;
  return { kind: "loading", text: `${text}…${share}`, progress };
}

function failed(error: ServeStatus["error"]): ModelState {
  const text = error
    ? `${error.message} ${error.remedy}`
    : "The model server ended without a word. Its log may say why.";
  return { kind: "error", text, progress: null };
}
