/** A stage while it is built: what an image made of it now would be. */
import { createHash } from 'node:crypto';
import type { Descriptor, Digest, HistoryEntry, ProcessDefaults } from '../content/media-types.ts';
import type { BuiltLayer } from './build-cache.ts';
import type { Variables } from './variable-expansion.ts';

/** Arguments every build knows without ARG. */
export const PREDEFINED_ARGUMENTS: readonly string[] = [
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'FTP_PROXY',
  'NO_PROXY',
  'ALL_PROXY',
].flatMap((name) => [name, name.toLowerCase()]);

export interface StageLayer {
  readonly descriptor: Descriptor;
  readonly diffId: Digest;
}

export class Stage {
  readonly index: number;
  readonly name: string | undefined;
  readonly layers: StageLayer[];
  readonly history: HistoryEntry[];
  config: ProcessDefaults;
  /** ARGs in force. */
  readonly args = new Map<string, string>();
  /** Everything done so far, as one digest: the base of every later cache key. */
  key: string;
  /** Whether this stage, not its base, has said CMD. */
  hasOwnCommand = false;

  constructor(init: {
    readonly index: number;
    readonly name: string | undefined;
    readonly key: string;
    readonly layers: readonly StageLayer[];
    readonly history: readonly HistoryEntry[];
    readonly config: ProcessDefaults;
  }) {
    this.index = init.index;
    this.name = init.name;
    this.key = init.key;
    this.layers = [...init.layers];
    this.history = [...init.history];
    this.config = init.config;
  }

  get diffIds(): readonly Digest[] {
    return this.layers.map((layer) => layer.diffId);
  }

  get shell(): readonly string[] {
    return this.config.Shell ?? ['/bin/sh', '-c'];
  }

  get workingDir(): string {
    return this.config.WorkingDir || '/';
  }

  environment(): Map<string, string> {
    const variables = new Map<string, string>();
    for (const assignment of this.config.Env ?? []) {
      const equals = assignment.indexOf('=');
      variables.set(assignment.slice(0, equals), assignment.slice(equals + 1));
    }
    return variables;
  }

  /** What `$name` means here: ENV wins over ARG. */
  variables(): Variables {
    return new Map([...this.args, ...this.environment()]);
  }

  setEnvironment(pairs: readonly (readonly [string, string])[]): void {
    const variables = this.environment();
    for (const [key, value] of pairs) variables.set(key, value);
    this.config = { ...this.config, Env: [...variables].map(([key, value]) => `${key}=${value}`) };
  }

  /** The key of doing `what` now. */
  keyOf(...what: readonly string[]): string {
    return createHash('sha256')
      .update(JSON.stringify([this.key, ...what]))
      .digest('hex');
  }

  /** Records a done instruction. Null: it changed no file. */
  add(key: string, createdBy: string, layer: BuiltLayer | null): void {
    this.key = key;
    if (layer === null) {
      this.history.push({ created_by: createdBy, empty_layer: true });
      return;
    }
    this.layers.push({ descriptor: layer.descriptor, diffId: layer.diffId });
    this.history.push({ created_by: createdBy });
  }
}
