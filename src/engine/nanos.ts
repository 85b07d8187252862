import type { Clock } from '#platform';

/**
 * Wall time in nanoseconds that never repeats and never goes back within one engine: what is made later has the
 * greater number, also within a millisecond and when the machine's clock is set back.
 */
export function nanosSource(clock: Clock): () => bigint {
  let last = 0n;
  return () => {
    const now = BigInt(Math.floor(clock.now())) * 1_000_000n;
    last = now > last ? now : last + 1n;
    return last;
  };
}
