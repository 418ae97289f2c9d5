import { describe, expect, it } from "vitest";

import { EventOrder } from "../../src/runs/eventOrder";

const events = (...numbers: number[]) => numbers.map((seq) => ({ seq }));
const numbers = (list: { seq: number }[] | undefined) => list?.map(({ seq }) => seq);

describe("EventOrder", () => {
  it("lets each event through once", () => {
    const order = new EventOrder();
    expect(numbers(order.take(events(1, 2, 3)))).toEqual([1, 2, 3]);
    expect(numbers(order.follow(events(2, 3, 4)))).toEqual([4]);
    expect(numbers(order.follow(events(4)))).toEqual([]);
    expect(order.lastSeq).toBe(4);
  });

  it("notices what is missing, and lets nothing after it through", () => {
    const order = new EventOrder();
    order.take(events(1));
    expect(order.follow(events(3))).toBeUndefined();
    expect(order.lastSeq).toBe(1);
  });

  it("takes the daemon's own answer as it is, numbers skipped or not", () => {
    const order = new EventOrder();
    order.take(events(1));
    expect(numbers(order.take(events(5, 6)))).toEqual([5, 6]);
    expect(numbers(order.follow(events(7)))).toEqual([7]);
  });

  it("begins again after a reset", () => {
    const order = new EventOrder();
    order.take(events(1, 2));
    order.reset();
    expect(numbers(order.take(events(1, 2)))).toEqual([1, 2]);
  });

  it("gives every event once and in order, however deliveries overlap or get lost", () => {
    let random = 7;
    const next = (below: number) => (random = (random * 48_271) % 2_147_483_647) % below;
    for (let round = 0; round < 300; round++) {
      const all = Array.from({ length: 1 + next(40) }, (_, index) => index + 1);
      const order = new EventOrder();
      const seen: number[] = [];
      const keep = (list: { seq: number }[]) => seen.push(...list.map(({ seq }) => seq));
      for (let at = 0; at < all.length;) {
        const from = Math.max(0, at - next(4));
        const to = Math.min(all.length, at + 1 + next(5));
        at = to;
        if (next(3) === 0) continue; // lost on the way
        const fresh = order.follow(events(...all.slice(from, to)));
        // A gap: asks for everything after the last one that it has.
        keep(fresh ?? order.take(events(...all.slice(order.lastSeq, to))));
      }
      expect(seen).toEqual(all.slice(0, seen.length));
    }
  });
});
