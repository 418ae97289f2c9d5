/** What a command is about, where nobody can say what there is, and where what it was given is gone. */
import { beforeEach, describe, expect, it, vi } from "vitest";

import { pickModel } from "../../src/commands/modelCommands";
import { pickRun } from "../../src/commands/pickRun";
import { openFile } from "../../src/commands/reveal";
import type { ModelLibrary } from "../../src/library/modelLibrary";
import { Problem } from "../../src/problem";
import type { RunSummary } from "../../src/protocol/types";
import type { RunStore } from "../../src/runs/runStore";

const { told } = vi.hoisted(() => ({ told: [] as string[] }));
vi.mock("vscode", () => ({
  window: { showInformationMessage: (text: string) => told.push(text), showTextDocument: () => told.push("shown") },
  QuickPickItemKind: { Separator: -1 },
  Uri: { file: (file: string) => file },
}));

const away = new Problem("The language server did not start.", "The log says why.");
const run = { id: "a-1", name: "a", state: "completed" } as RunSummary;

/** A store or a library whose daemon has these, or is away. */
function holding<T extends { id: string }>(items: readonly T[] | undefined) {
  let known: readonly T[] = [];
  return {
    get: (id: string) => known.find((one) => one.id === id),
    get runs() {
      return known;
    },
    get models() {
      return known;
    },
    load: () => {
      known = items ?? [];
      return items ? Promise.resolve() : Promise.reject(away);
    },
  };
}

const runsOf = (items?: readonly RunSummary[]) => holding(items) as unknown as RunStore;
const modelsOf = (items?: readonly { id: string }[]) => holding(items) as unknown as ModelLibrary;
const anyRun = () => true;

beforeEach(() => void told.splice(0));

describe("the run of a command", () => {
  it("is the one that was given, also where it was not yet listed", async () => {
    expect(await pickRun(runsOf([run]), "a-1", anyRun, "none")).toBe(run);
  });

  it("is said to be none only where that is known", async () => {
    expect(await pickRun(runsOf([]), undefined, anyRun, "There are no runs yet.")).toBeUndefined();
    expect(told).toEqual(["There are no runs yet."]);
    await expect(pickRun(runsOf(), undefined, anyRun, "There are no runs yet.")).rejects.toBe(away);
    expect(told).toHaveLength(1);
  });

  it("is said to be gone where it was given and is", async () => {
    await expect(pickRun(runsOf([run]), "b-1", anyRun, "none")).rejects.toThrow("There is no run b-1 any more.");
  });
});

describe("the model of a command", () => {
  it("is said to be none only where that is known", async () => {
    await expect(pickModel(modelsOf([]), undefined)).rejects.toThrow("There is no such model in the library.");
    await expect(pickModel(modelsOf(), undefined)).rejects.toBe(away);
  });

  it("is said to be gone where its row outlived it", async () => {
    const row = { kind: "model", id: "org/base" };
    await expect(pickModel(modelsOf([]), row)).rejects.toThrow("There is no model org/base in the library any more.");
  });
});

it("a file that was removed is said to be gone, in words of ours", async () => {
  await expect(openFile("/nowhere/quick.peft.yaml")).rejects.toThrow("/nowhere/quick.peft.yaml is not there any more.");
  expect(told).toEqual([]);
});
