/**
 * All dice of k8ts. Real: `systemRandom` in `platform/node` (cryptographically strong);
 * in a test: a seeded one, so that a run replays exactly.
 */
export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
  bytes(length: number): Uint8Array;
  /** RFC 9562 version 4, lower case. */
  uuid(): string;
}

/** Upstream's alphabet for generated names: no vowels, nothing that looks like another character. */
const NAME_ALPHABET = 'bcdfghjklmnpqrstvwxz2456789';

/** `length` random characters as the API server appends to `metadata.generateName`. */
export function randomNameSuffix(random: Random, length = 5): string {
  let out = '';
  for (let i = 0; i < length; i++) out += NAME_ALPHABET[Math.floor(random.next() * NAME_ALPHABET.length)];
  return out;
}
