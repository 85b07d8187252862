/** Waiting for what no watch tells: a process gone, a mount gone, an answer changed. */
import { AssertionError } from 'node:assert';
import { setTimeout as delay } from 'node:timers/promises';

export interface EventuallyOptions {
  /** Default 30 s. */
  readonly timeoutMs?: number;
  /** Between two looks; default 100 ms. */
  readonly intervalMs?: number;
}

/** Looks until `look` returns instead of throwing. @throws AssertionError with its last error after the deadline. */
export async function eventually<T>(
  what: string,
  look: () => T | Promise<T>,
  { timeoutMs = 30_000, intervalMs = 100 }: EventuallyOptions = {},
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await look();
    } catch (error) {
      if (performance.now() > deadline) {
        const last = error instanceof Error ? error.message : String(error);
        throw new AssertionError({ message: `not within ${timeoutMs / 1000} s: ${what}: ${last}` });
      }
    }
    await delay(intervalMs);
  }
}
