import { describe, expect, it } from "vitest";

import { isChatHostMessage, isChatPageMessage, isChatPanelState } from "../../src/protocol/chatPanel";

const settings = {
  model: "base",
  compare_with: null,
  system: "",
  temperature: 0.7,
  top_p: 0.95,
  max_tokens: 512,
  seed: null,
};
const state = {
  id: null,
  title: "",
  exchanges: [],
  settings,
  models: [],
  model: { kind: "none", text: "", progress: null },
  answering: false,
  examples: [],
  context: null,
  trusted: true,
};

describe("what the chat page says", () => {
  it.each([
    { type: "ready" },
    { type: "stop" },
    { type: "export" },
    { type: "ask", prompt: "Hello" },
    { type: "regenerate", at: 0 },
    { type: "edit", at: 2, prompt: "Hello" },
    { type: "settings", settings },
    { type: "settings", settings: { ...settings, seed: 7, compare_with: "base:a" } },
    { type: "insert", text: "x" },
  ])("accepts %j", (value) => {
    expect(isChatPageMessage(value)).toBe(true);
  });

  it.each([
    undefined,
    "ready",
    { type: "exec" },
    { type: "ask" },
    { type: "regenerate", at: -1 },
    { type: "regenerate", at: 0.5 },
    { type: "edit", at: 0 },
    { type: "settings", settings: { ...settings, temperature: Number.NaN } },
    { type: "settings", settings: { ...settings, temperature: 3 } },
    { type: "settings", settings: { ...settings, top_p: 0 } },
    { type: "settings", settings: { ...settings, max_tokens: 0 } },
    { type: "settings", settings: { ...settings, model: 1 } },
    { type: "settings", settings: { ...settings, seed: -1 } },
    { type: "insert", text: 1 },
  ])("refuses %j", (value) => {
    expect(isChatPageMessage(value)).toBe(false);
  });
});

describe("what the extension says to the chat page", () => {
  it.each([
    { type: "state", state },
    { type: "text", at: 0, side: 1, text: "x" },
    { type: "problem", message: "m", remedy: "r" },
    { type: "focus" },
  ])("accepts %j", (value) => {
    expect(isChatHostMessage(value)).toBe(true);
  });

  it.each([
    {},
    { type: "state" },
    { type: "state", state: { ...state, exchanges: [1] } },
    { type: "state", state: { ...state, settings: {} } },
    { type: "text", at: "0", side: 0, text: "x" },
  ])("refuses %j", (value) => {
    expect(isChatHostMessage(value)).toBe(false);
  });
});

describe("what the chat panel keeps over a reload", () => {
  it("is the conversation, the settings and what was typed", () => {
    expect(isChatPanelState({ id: "c", settings, draft: "" })).toBe(true);
    expect(isChatPanelState({ id: null, settings, draft: "Hel" })).toBe(true);
    for (const value of [undefined, {}, { id: 1, settings, draft: "" }, { id: null, settings: {}, draft: "" }])
      expect(isChatPanelState(value)).toBe(false);
  });
});
