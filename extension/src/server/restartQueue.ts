/** Runs one task at a time; while it runs, any number of further requests become a single one that follows. */
export class RestartQueue {
  private running: Promise<void> | undefined;
  private pending: Promise<void> | undefined;

  constructor(private readonly task: () => Promise<void>) {}

  /** Resolves when a task that began after this call has ended. */
  request(): Promise<void> {
    if (!this.running) return this.begin();
    this.pending ??= this.running
      .catch(() => {})
      .then(() => {
        this.pending = undefined;
        return this.begin();
      });
    return this.pending;
  }

  private begin(): Promise<void> {
    const current = this.task().finally(() => {
      if (this.running === current) this.running = undefined;
    });
    this.running = current;
    return current;
  }
}
