import type { coreV1 } from '#api';
import { deepEqual } from '#machinery';

/** Label that tells the pods of one template from those of another. */
export const TEMPLATE_HASH_LABEL = 'pod-template-hash';

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;
const SAFE_ALPHABET = 'bcdfghjklmnpqrstvwxz2456789';

/** FNV-1a, 32 bits (http://www.isthe.com/chongo/tech/comp/fnv/). */
export function fnv32a(bytes: Uint8Array, seed = FNV_OFFSET): number {
  let hash = seed;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, FNV_PRIME);
  return hash >>> 0;
}

/** Digits as letters that form no words: what generated names are made of. */
export function safeEncode(text: string): string {
  return Array.from(text, (character) => SAFE_ALPHABET[character.charCodeAt(0) % SAFE_ALPHABET.length]).join(
    '',
  );
}

/** The same for equal values, whatever the order of their fields. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, field: unknown) =>
    typeof field === 'object' && field !== null && !Array.isArray(field)
      ? Object.fromEntries(Object.entries(field).sort(([a], [b]) => (a < b ? -1 : 1)))
      : field,
  );
}

/**
 * Names a template. Stable, but not upstream's number: that one hashes Go's in-memory form. Nothing may compare the
 * hashes of two implementations; templates themselves are compared.
 */
export function templateHash(template: unknown, collisionCount: number | undefined): string {
  let hash = fnv32a(Buffer.from(canonicalJson(template)));
  if (collisionCount !== undefined) {
    const bytes = Buffer.alloc(8);
    bytes.writeUInt32LE(collisionCount);
    hash = fnv32a(bytes, hash);
  }
  return safeEncode(String(hash));
}

/** Equal but for the hash label, which only the ReplicaSet's copy has. */
export function isSameTemplate(a: coreV1.PodTemplateSpec | undefined, b: coreV1.PodTemplateSpec): boolean {
  return a !== undefined && deepEqual(withoutHash(a), withoutHash(b));
}

function withoutHash(template: coreV1.PodTemplateSpec): unknown {
  const { labels, creationTimestamp: _, ...metadata } = template.metadata ?? {};
  const kept = Object.entries(labels ?? {}).filter(([key]) => key !== TEMPLATE_HASH_LABEL);
  return { ...template, metadata: { ...metadata, labels: Object.fromEntries(kept) } };
}
