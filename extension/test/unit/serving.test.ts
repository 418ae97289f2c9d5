/** What is said of the model server, what can be done with it, and how other programs are told of it. */
import { describe, expect, it } from "vitest";

import { contextLabel, contextText } from "../../src/chat/context";
import type { ChatModel, ServeStatus } from "../../src/protocol/types";
import { servingText } from "../../src/serving/describe";
import { FORMS } from "../../src/serving/endpoint";
import { entries } from "../../src/serving/menuEntries";

const BASE: ChatModel = {
  id: "org/small",
  label: "small",
  base: "org/small",
  run_id: null,
  context_length: 8192,
  tool_calling: false,
};
const TUNED: ChatModel = { ...BASE, id: "org/small:notes-1", label: "notes-1 on small", run_id: "notes-1" };
const MODELS = [BASE, TUNED];
const RUNNING: ServeStatus = {
  state: "running",
  url: "http://127.0.0.1:4711/v1",
  port: 4711,
  model: TUNED.id,
  loaded: [BASE.id],
  models: [{ base: BASE.id, state: "ready", memory_bytes: 2 ** 28 }],
  memory_bytes: 2 ** 28,
};
const error = { code: "serve-failed", message: "It was killed.", remedy: "Start it again." } as const;
const labelOf = (id: string) => MODELS.find((model) => model.id === id)?.label ?? id;
const text = (status: ServeStatus | undefined) => servingText(status, labelOf);

describe("I15: the status bar's item", () => {
  it.each([
    [undefined, "$(circle-slash) Models: stopped"],
    [{ state: "stopped" }, "$(circle-slash) Models: stopped"],
    [{ state: "starting" }, "$(loading~spin) Models: starting"],
    [{ state: "error", error }, "$(error) Models: error"],
    [RUNNING, "$(server-process) notes-1 on small :4711"],
    [{ ...RUNNING, model: null }, "$(server-process) small :4711"],
    [{ state: "running", port: 1 }, "$(server-process) Models: running :1"],
    [{ ...RUNNING, models: [{ base: BASE.id, state: "loading" }] }, "$(loading~spin) small :4711"],
  ] as [ServeStatus | undefined, string][])("of %j says %s", (status, said) => {
    expect(text(status).text).toBe(said);
  });

  it("says why it failed, and that in red", () => {
    expect(text({ state: "error", error })).toMatchObject({ facts: ["It was killed. Start it again."], isError: true });
  });

  it("has model, address and memory in its tooltip", () => {
    expect(text(RUNNING).facts).toEqual([
      "Answers at http://127.0.0.1:4711/v1",
      "Default model: notes-1 on small",
      "small: ready",
      "Memory: 256 MiB",
    ]);
  });
});

describe("I16: the menu", () => {
  const actions = (status: ServeStatus | undefined) => entries(status, MODELS).map(({ action }) => action);

  it("starts what does not run", () => {
    for (const status of [undefined, { state: "stopped" }, { state: "error", error }] as const)
      expect(actions(status as ServeStatus | undefined).map(({ type }) => type)).toEqual(["start", "chat", "log"]);
  });

  it("stops, frees and switches what runs, with the model in use marked", () => {
    expect(actions(RUNNING)).toEqual([
      ...["chat", "copyEndpoint", "log", "restart", "stop"].map((type) => ({ type })),
      { type: "unload", model: BASE.id },
      { type: "switch", model: BASE.id },
      { type: "switch", model: TUNED.id },
    ]);
    expect(entries(RUNNING, MODELS).map(({ label }) => label)).toContain("$(check) notes-1 on small");
  });

  it("has every action before the models, however many those are", () => {
    const many = Array.from({ length: 60 }, (_, index) => ({ ...TUNED, id: `org/small:notes-${index}` }));
    const types = entries(RUNNING, many).map(({ action }) => action.type);
    expect(types.indexOf("stop")).toBeLessThan(types.indexOf("switch"));
    expect(types.filter((type) => type === "switch")).toHaveLength(60);
  });
});

describe("an endpoint for another program", () => {
  const endpoint = { url: "http://127.0.0.1:4711/v1", token: "s3cret" };
  const written = (label: string) => FORMS.find((form) => form.label.startsWith(label))?.text(endpoint, MODELS) ?? "";

  it("is an entry of VS Code's own file, whose sizes add up to the context", () => {
    const entry = JSON.parse(written("VS Code")) as { models: Record<string, unknown>[] };
    expect(entry).toMatchObject({ vendor: "customendpoint", apiType: "chat-completions", apiKey: "s3cret" });
    expect(entry.models[1]).toEqual({
      id: TUNED.id,
      name: TUNED.label,
      url: "http://127.0.0.1:4711/v1/chat/completions",
      toolCalling: false,
      vision: false,
      maxInputTokens: 7168,
      maxOutputTokens: 1024,
    });
  });

  it("is what Cline's fields take, and Continue's file", () => {
    expect(written("Cline").split("\n").slice(0, 3)).toEqual([
      "Base URL: http://127.0.0.1:4711/v1",
      "API Key: s3cret",
      "Model ID: org/small",
    ]);
    expect(written("Continue")).toContain('    model: "org/small:notes-1"\n    apiBase: "http://127.0.0.1:4711/v1"\n');
  });
});

describe("what a prompt is about", () => {
  it("is fenced by more marks than the text itself has", () => {
    expect(contextText("a.md, line 3", "markdown", "x ```` y")).toBe(
      "From a.md, line 3:\n\n`````markdown\nx ```` y\n`````",
    );
  });

  it("is named by its lines", () => {
    expect([contextLabel("a.py", 3, 3), contextLabel("a.py", 3, 9)]).toEqual(["a.py, line 3", "a.py, lines 3–9"]);
  });
});
