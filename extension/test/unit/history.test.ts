/** The list of kept conversations while nobody can be asked for them. */
import { beforeEach, expect, it, vi } from "vitest";

import { pickConversation } from "../../src/chat/conversations";
import { Problem } from "../../src/problem";
import type { Server } from "../../src/server/server";

type Listener = (event: unknown) => unknown;

const { told, heard } = vi.hoisted(() => ({
  told: [] as string[],
  heard: new Map<string, (event: unknown) => unknown>(),
}));
const { pick } = vi.hoisted(() => {
  const listen = (name: string) => (listener: Listener) => heard.set(name, listener);
  return {
    pick: {
      ...{ value: "", busy: false, items: [] as { label: string }[], activeItems: [] },
      onDidChangeValue: listen("value"),
      onDidTriggerItemButton: listen("button"),
      onDidAccept: listen("accept"),
      onDidHide: listen("hide"),
      show: () => {},
      dispose: () => {},
    },
  };
});
vi.mock("vscode", () => ({
  ThemeIcon: Object,
  window: {
    createQuickPick: () => pick,
    showErrorMessage: (text: string) => told.push(text),
    showWarningMessage: () => Promise.resolve("Delete"),
  },
  workspace: { isTrusted: true },
  commands: {},
}));

const conversation = {
  id: "c1",
  title: "Owls",
  created: "",
  updated: "2026-01-01T10:00:00Z",
  model: "m",
  exchanges: 1,
};
let isAway = false;
const server = {
  request: (method: string) =>
    isAway
      ? Promise.reject(new Problem("The language server ended.", "Try again."))
      : Promise.resolve(method === "peft/conversations/list" ? { conversations: [conversation] } : {}),
} as unknown as Server;

beforeEach(() => {
  isAway = false;
  told.splice(0);
});

it("says that the server is away, and waits for it no longer, when somebody searches or deletes", async () => {
  const deleted: string[] = [];
  const picked = pickConversation(server, { onRenamed: () => {}, onDeleted: (id) => deleted.push(id) });
  await expect.poll(() => pick.items.map(({ label }) => label)).toEqual(["Owls"]);
  isAway = true;
  await heard.get("value")?.("owl");
  await heard.get("button")?.({ item: { conversation }, button: {} });
  expect(told).toEqual(Array(2).fill("The language server ended. Try again."));
  expect(pick.busy).toBe(false);
  expect(deleted).toEqual([]);
  isAway = false;
  await heard.get("button")?.({ item: { conversation }, button: {} });
  expect(deleted).toEqual(["c1"]);
  heard.get("hide")?.(undefined);
  expect(await picked).toBeUndefined();
});
