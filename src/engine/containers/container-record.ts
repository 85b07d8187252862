import type { ContainerConfig, LinuxResources } from '#cri';
import type { Digest } from '../content/media-types.ts';
import type { ProcessUser } from './user.ts';

/** A bigint of nanoseconds, as JSON can hold it. */
export type NanosText = string;

/** What the engine knows of a container, as it is kept in a file. */
export interface ContainerRecord {
  readonly id: string;
  readonly sandboxId: string;
  readonly podUid: string;
  readonly config: ContainerConfig;
  readonly imageId: Digest;
  readonly diffIds: readonly Digest[];
  readonly createdAt: NanosText;
  /** Absolute; empty: nothing is logged. */
  readonly logPath: string;
  readonly cgroup: string;
  readonly user: ProcessUser;
  readonly stopSignal: string;
  readonly resources: LinuxResources;
  /** Images mounted as volumes: they must stay while the container does. */
  readonly mountedImages: readonly Digest[];
  readonly pid?: number;
  /** Start time of `pid`, which tells it from a later process of the same number. */
  readonly processStart?: string;
  readonly startedAt?: NanosText;
  readonly end?: ContainerEnd;
}

export interface ContainerEnd {
  readonly finishedAt: NanosText;
  readonly exitCode: number;
  readonly reason: string;
  readonly message: string;
}
