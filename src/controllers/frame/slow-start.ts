/** Calls made at once in the first round. */
const FIRST_BATCH = 1;

/**
 * Makes `count` calls in rounds of 1, 2, 4, 8 …, and stops after a round in which one failed: when quota or admission
 * refuses the first pod there is no point in asking for the other 999.
 *
 * Returns how many succeeded, and the first failure.
 */
export async function slowStart(
  count: number,
  call: () => Promise<unknown>,
): Promise<{ readonly succeeded: number; readonly error?: unknown }> {
  let succeeded = 0;
  let left = count;
  for (let batch = Math.min(left, FIRST_BATCH); batch > 0; batch = Math.min(2 * batch, left)) {
    const results = await Promise.allSettled(Array.from({ length: batch }, () => call()));
    const failed = results.find((result) => result.status === 'rejected');
    succeeded += results.filter((result) => result.status === 'fulfilled').length;
    if (failed !== undefined) return { succeeded, error: failed.reason };
    left -= batch;
  }
  return { succeeded };
}
