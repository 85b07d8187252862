import type { ObjectMeta } from './types/meta-v1.ts';

/** `spec` may be left out where nothing in it is required, as in a Namespace. */
type DraftSpec<T> = T extends { readonly spec?: unknown }
  ? 'spec' extends keyof T
    ? Record<never, never> extends NonNullable<T['spec']>
      ? Partial<Pick<T, 'spec'>>
      : Pick<T, 'spec'>
    : unknown
  : unknown;

/** What a caller sends to create or apply a `T`: the server fills in identity, defaults and status. */
export type Draft<T> = Omit<T, 'apiVersion' | 'kind' | 'metadata' | 'spec' | 'status'> &
  DraftSpec<T> & {
    readonly apiVersion?: string;
    readonly kind?: string;
    readonly metadata: Partial<ObjectMeta>;
    readonly status?: T extends { readonly status: infer S } ? Partial<S> : never;
  };
