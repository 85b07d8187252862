import type { ObjectMeta } from './types/meta-v1.ts';

/** What a caller sends to create or apply a `T`: the server fills in identity, defaults and status. */
export type Draft<T> = Omit<T, 'apiVersion' | 'kind' | 'metadata' | 'status'> & {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: Partial<ObjectMeta>;
  readonly status?: T extends { readonly status: infer S } ? Partial<S> : never;
};
