/** Other runs beside one, of which one still goes on and one is removed. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";

import { Comparison } from "../../src/panels/compareRuns";
import type { RunSummary } from "../../src/protocol/types";
import type { RunsChange, RunStore } from "../../src/runs/runStore";
import type { Server } from "../../src/server/server";

vi.mock("vscode", () => ({}));

let there: string[];
let isListed: boolean;
let follow: (change: RunsChange) => void;
const drawn: string[][] = [];
const asked: string[] = [];

const store = {
  get: (id: string) => (isListed && there.includes(id) ? { id } : undefined),
  load: () => {
    isListed = true;
    return Promise.resolve();
  },
  onDidChange: (listener: typeof follow) => {
    follow = listener;
    return { dispose: () => {} };
  },
} as unknown as RunStore;
const server = {
  request: (_method: string, { run_id }: { run_id: string }) => {
    asked.push(run_id);
    return Promise.resolve({ series: [] });
  },
} as unknown as Server;
const comparison = (ids: string[]) =>
  new Comparison(server, store, "a-1", ids, (runs) => drawn.push(runs.map(({ id }) => id)));
const changed = (...ids: string[]) => follow({ changed: ids.map((id) => ({ id }) as RunSummary), listChanged: false });

beforeEach(() => {
  vi.useFakeTimers();
  there = ["b-1", "c-1"];
  isListed = false;
  drawn.splice(0);
  asked.splice(0);
});
afterEach(() => void vi.useRealTimers());

it("draws what was drawn before a reload, without a run that was removed since", async () => {
  const compared = comparison(["b-1", "gone-1", "c-1"]);
  compared.show();
  await vi.advanceTimersByTimeAsync(0);
  expect(drawn).toEqual([["b-1", "c-1"]]);
  compared.show();
  expect(drawn).toEqual([
    ["b-1", "c-1"],
    ["b-1", "c-1"],
  ]);
  compared.dispose();
});

it("draws a run that goes on anew, once for many steps, and others not", async () => {
  const compared = comparison(["b-1"]);
  compared.show();
  await vi.advanceTimersByTimeAsync(0);
  changed("other-1");
  for (let step = 0; step < 5; step++) changed("b-1", "other-1");
  await vi.advanceTimersByTimeAsync(10_000);
  expect(asked).toEqual(["b-1", "b-1"]);
  changed("b-1");
  compared.clear();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(drawn.at(-1)).toEqual([]);
  changed("b-1");
  compared.dispose();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(asked).toHaveLength(2);
});
