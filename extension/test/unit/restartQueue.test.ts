import { describe, expect, it } from "vitest";

import { RestartQueue } from "../../src/server/restartQueue";

/** A task that ends when told to, and counts how many run. */
function controlled() {
  const ends: { resolve: () => void; reject: (error: Error) => void }[] = [];
  let running = 0;
  let most = 0;
  const task = async () => {
    most = Math.max(most, ++running);
    try {
      await new Promise<void>((resolve, reject) => ends.push({ resolve, reject }));
    } finally {
      running--;
    }
  };
  return { task, ends, most: () => most };
}

const settled = () => new Promise((resolve) => setTimeout(resolve));

describe("RestartQueue", () => {
  it("runs at once when nothing runs", async () => {
    const { task, ends } = controlled();
    const request = new RestartQueue(task).request();
    expect(ends).toHaveLength(1);
    ends[0]?.resolve();
    await request;
  });

  it("turns any number of requests during a run into one that follows", async () => {
    const { task, ends, most } = controlled();
    const queue = new RestartQueue(task);
    const first = queue.request();
    const later = [queue.request(), queue.request(), queue.request()];
    expect(new Set(later).size).toBe(1);
    ends[0]?.resolve();
    await first;
    await settled();
    expect(ends).toHaveLength(2);
    ends[1]?.resolve();
    await Promise.all(later);
    await settled();
    expect(ends).toHaveLength(2);
    expect(most()).toBe(1);
  });

  it("goes on after a run that failed", async () => {
    const { task, ends } = controlled();
    const queue = new RestartQueue(task);
    const first = queue.request();
    const second = queue.request();
    ends[0]?.reject(new Error("no"));
    await expect(first).rejects.toThrow("no");
    await settled();
    ends[1]?.resolve();
    await expect(second).resolves.toBeUndefined();
  });
});
