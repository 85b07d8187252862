/** Tells whether a running container still is what the spec asks for. Only name and image may change in a running pod. */
import type { Container } from '../pods/pod-spec.ts';

/** 32-bit FNV-1a in hex over what makes a container another one. */
export function containerHash(container: Container): string {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(`${container.name}\0${container.image ?? ''}`)) {
    hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  }
  return hash.toString(16);
}
