import { MAX_KEY_BYTES, MAX_TRANSACTION_OPERATIONS, MAX_VALUE_BYTES } from './store.ts';
import type { Transaction } from './store.ts';

/** @throws RangeError naming the limit or the key that is wrong. */
export function checkTransaction(transaction: Transaction): void {
  const { compare, writes } = transaction;
  if (writes.length > MAX_TRANSACTION_OPERATIONS || compare.length > MAX_TRANSACTION_OPERATIONS) {
    throw new RangeError(
      `a transaction may have at most ${MAX_TRANSACTION_OPERATIONS} compares and as many writes`,
    );
  }
  const written = writes.length > 1 ? new Set<string>() : undefined;
  for (const write of writes) {
    checkKey(write.key);
    if (write.type === 'put' && write.value.length > MAX_VALUE_BYTES) {
      throw new RangeError(
        `value of ${write.key} has ${write.value.length} bytes, at most ${MAX_VALUE_BYTES} fit`,
      );
    }
    if (written === undefined) continue;
    if (written.has(write.key)) throw new RangeError(`a transaction writes ${write.key} twice`);
    written.add(write.key);
  }
}

function checkKey(key: string): void {
  if (key === '') throw new RangeError('a key must not be empty');
  // One UTF-16 unit takes at most three bytes of UTF-8: a short key needs no counting.
  if (key.length * 3 <= MAX_KEY_BYTES) return;
  const bytes = Buffer.byteLength(key, 'utf8');
  if (bytes > MAX_KEY_BYTES)
    throw new RangeError(`a key of ${bytes} bytes is too long, at most ${MAX_KEY_BYTES} fit`);
}
