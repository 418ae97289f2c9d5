import { describe, expect, it } from "vitest";

import { modelState } from "../../src/chat/modelState";
import type { ServeStatus } from "../../src/protocol/types";

const error = { code: "serve-failed", message: "It ended.", remedy: "Load it again." } as const;
const running = (...models: NonNullable<ServeStatus["models"]>): ServeStatus => ({ state: "running", models });

describe("I11: the state of a model", () => {
  it.each([
    ["unknown", undefined, "none"],
    ["stopped", { state: "stopped" }, "none"],
    ["starting", { state: "starting" }, "loading"],
    ["dead", { state: "error", error }, "error"],
    ["running without it", running({ base: "other", state: "ready" }), "none"],
    ["loading it", running({ base: "b", state: "loading" }), "loading"],
    ["running with it", running({ base: "b", state: "ready" }), "ready"],
    ["running after it failed", running({ base: "b", state: "error", error }), "error"],
    ["older, with it in memory", { state: "running", loaded: ["b"] }, "ready"],
  ] as const)("where the server is %s", (_, status, kind) => {
    expect(modelState(status as ServeStatus | undefined, ["b"]).kind).toBe(kind);
  });

  it("says how far the loading is, where that is known", () => {
    expect(modelState(running({ base: "b", state: "loading", progress: 0.424 }), ["b"])).toEqual({
      kind: "loading",
      text: "Loading the model… 42 %",
      progress: 0.424,
    });
  });

  it("says in words what went wrong", () => {
    expect(modelState({ state: "error", error }, ["b"]).text).toBe("It ended. Load it again.");
  });

  it("of two is that of the one that is not ready", () => {
    const status = running({ base: "b", state: "ready" }, { base: "c", state: "loading" });
    expect(modelState(status, ["b", "c"]).kind).toBe("loading");
    expect(modelState(status, ["b", "b"]).kind).toBe("ready");
  });
});
