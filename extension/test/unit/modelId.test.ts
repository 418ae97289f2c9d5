import { describe, expect, it } from "vitest";

import { adaptersOf, composeId, parseId } from "../../src/chat/modelId";

const model = (base: string, adapter?: string) => ({ base, id: adapter ? `${base}:${adapter}` : base });
const KNOWN = [model("org/small"), model("org/small", "notes-1"), model("org/small", "code-2"), model("C:/m.gguf")];

describe("a model's id", () => {
  it.each([
    ["org/small", []],
    ["org/small:notes-1", [{ name: "notes-1", scale: 1 }]],
    ["org/small:notes-1@0.5", [{ name: "notes-1", scale: 0.5 }]],
    [
      "org/small:notes-1+code-2@1.25",
      [
        { name: "notes-1", scale: 1 },
        { name: "code-2", scale: 1.25 },
      ],
    ],
  ])("%s is taken apart and put together again", (id, adapters) => {
    expect(parseId(id, KNOWN)).toEqual({ base: "org/small", adapters });
    expect(composeId({ base: "org/small", adapters })).toBe(id);
  });

  it("knows a base that has a colon of its own", () => {
    expect(parseId("C:/m.gguf", KNOWN)).toEqual({ base: "C:/m.gguf", adapters: [] });
  });

  it("is none when its base is not known", () => {
    expect(parseId("other:notes-1", KNOWN)).toBeUndefined();
    expect(parseId("org/smaller", KNOWN)).toBeUndefined();
  });

  it("leaves out an adapter that is turned off", () => {
    expect(composeId({ base: "b", adapters: [{ name: "a", scale: 0 }] })).toBe("b");
  });

  it("finds the adapters of a base", () => {
    expect(adaptersOf("org/small", KNOWN)).toEqual(["notes-1", "code-2"]);
  });
});
