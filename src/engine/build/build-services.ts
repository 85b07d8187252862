import type { ContentStore } from '../content/content-store.ts';
import type { Runc } from '../containers/runc.ts';
import type { SnapshotStore } from '../snapshots/snapshot-store.ts';
import type { BuildCache } from './build-cache.ts';
import type { FileTree } from './build-files.ts';
import type { StageLayer } from './stage.ts';
import type { Variables } from './variable-expansion.ts';

/** What happens in a build, as it happens. */
export type BuildEvent =
  | {
      readonly type: 'step';
      /** The stage's name or number. */
      readonly stage: string;
      /** From 1; counted over all stages that are built. */
      readonly step: number;
      readonly steps: number;
      readonly instruction: string;
    }
  | { readonly type: 'cached'; readonly instruction: string }
  | { readonly type: 'output'; readonly text: string }
  | { readonly type: 'built'; readonly id: string; readonly names: readonly string[] };

/** What the instructions of one build work with. */
export interface BuildServices {
  readonly content: ContentStore;
  readonly snapshots: SnapshotStore;
  readonly runc: Runc;
  readonly cache: BuildCache;
  readonly usesCache: boolean;
  readonly network: 'none' | 'host';
  readonly args: Variables;
  readonly globalArguments: Variables;
  /** For mounts and bundles of this build; gone after it. */
  readonly folder: string;
  /** For `--mount=type=cache`; stays. */
  readonly caches: string;
  readonly newId: () => string;
  readonly onEvent: (event: BuildEvent) => void;
  readonly signal: AbortSignal | undefined;
  /** The files of a stage or an image; without a name those of the build context. */
  tree(from: string | undefined): Promise<FileTree>;
  /** Has the layers unpacked. */
  unpack(layers: readonly StageLayer[]): Promise<void>;
}
