/** What every write knows about the request it belongs to. */
import type { KubeObject, UserInfo } from '#machinery';
import type { CacheEntry } from '../watch-cache/cache-entry.ts';

export interface WriteCall {
  readonly user: UserInfo;
  readonly dryRun: boolean;
  /** Field manager: as asked for, or the user agent's first word. */
  readonly manager: string;
  readonly warn: (text: string) => void;
  readonly signal: AbortSignal;
}

export interface WriteResult {
  readonly entry: CacheEntry;
  readonly created: boolean;
}

/** `live` is undefined when there is no such object and the write may create it. In the served version. */
export type Transform = (live: KubeObject | undefined) => KubeObject | Promise<KubeObject>;
