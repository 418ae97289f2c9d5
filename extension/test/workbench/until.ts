const POLL_MS = 100;

/**
 * Asks `probe` again and again until it gives something else than `undefined` or `false`, and returns that.
 *
 * @throws an error that says what was waited for, after `timeoutMs`; and whatever `probe` throws, at once.
 */
export async function until<T>(
  what: string,
  timeoutMs: number,
  probe: () => Promise<T | false | undefined> | T | false | undefined,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const value = await probe();
    if (value !== undefined && value !== false) return value;
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs / 1000} s for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
