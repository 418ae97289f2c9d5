/** Keeps a run's events in their order: each `seq` once, and none left out unnoticed. */
export class EventOrder<E extends { readonly seq: number }> {
  private last = 0;

  /** The number of the newest event that was let through. */
  get lastSeq(): number {
    return this.last;
  }

  /** Begins behind an event; 0 for before the first. */
  reset(last = 0): void {
    this.last = last;
  }

  /** Takes what the daemon answers to a subscription: the whole truth after the last event, numbers skipped or not. */
  take(events: readonly E[]): E[] {
    const fresh = events.filter((event) => event.seq > this.last);
    this.last = fresh.at(-1)?.seq ?? this.last;
    return fresh;
  }

  /** Takes what comes by itself. Undefined when something before it is missing, so that it has to be asked for. */
  follow(events: readonly E[]): E[] | undefined {
    const fresh = events.filter((event) => event.seq > this.last);
    const first = fresh[0];
    if (first && first.seq !== this.last + 1) return undefined;
    return this.take(fresh);
  }
}
