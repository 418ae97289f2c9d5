/** What the menu behind the status bar's item has: what can be done with the model server as it is now. */
import type { ChatModel, ServeStatus } from "../protocol/types";

/** An entry of the menu. */
export interface Entry {
  readonly label: string;
  readonly description?: string;
  /** A heading for the entries that follow. */
  readonly heading?: string;
  readonly action: Action;
}

export type Action =
  | { readonly type: "start" | "stop" | "restart" | "copyEndpoint" | "log" | "chat" }
  | { readonly type: "switch" | "unload"; readonly model: string };

/** @returns what can be done in this state: with the server first, since there may be any number of models */
export function entries(status: ServeStatus | undefined, models: readonly ChatModel[]): Entry[] {
  const chat: Entry = { label: "$(comment-discussion) Open Chat", action: { type: "chat" } };
  const log: Entry = { label: "$(output) Open Log", action: { type: "log" } };
  if (status?.state !== "running" && status?.state !== "starting") {
    const label = status?.state === "error" ? "$(debug-restart) Start Again" : "$(play) Start";
    return [{ label, heading: "Server", action: { type: "start" } }, chat, log];
  }
  return [
    { ...chat, heading: "Server" },
    { label: "$(copy) Copy Endpoint for Another Program", action: { type: "copyEndpoint" } },
    log,
    { label: "$(debug-restart) Restart", action: { type: "restart" } },
    { label: "$(debug-stop) Stop", action: { type: "stop" } },
    ...(status.loaded ?? []).map((base, index) => unload(base, models, index === 0)),
    ...models.map((model, index) => switchTo(model, status, index === 0)),
  ];
}

function switchTo({ id, label, base }: ChatModel, status: ServeStatus, isFirst: boolean): Entry {
  const isCurrent = id === status.model;
  return {
    label: `$(${isCurrent ? "check" : "blank"}) ${label}`,
    description: status.loaded?.includes(base) ? "in memory" : "",
    ...(isFirst && { heading: "Switch to" }),
    action: { type: "switch", model: id },
  };
}

function unload(base: string, models: readonly ChatModel[], isFirst: boolean): Entry {
  const name = models.find(({ id }) => id === base)?.label ?? base;
  return {
    label: `$(trash) Unload ${name}`,
    ...(isFirst && { heading: "Free memory" }),
    action: { type: "unload", model: base },
  };
}
