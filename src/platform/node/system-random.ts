import { randomBytes, randomUUID } from 'node:crypto';
import type { Random } from '../random.ts';

/** Cryptographically strong. */
export const systemRandom: Random = {
  // 53 random bits, the precision of a double in [0, 1).
  next: () => Number(randomBytes(8).readBigUInt64BE() >> 11n) / 2 ** 53,
  bytes: (length) => randomBytes(length),
  uuid: () => randomUUID(),
};
