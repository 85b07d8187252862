import type { Version } from '../mvcc/version.ts';
import type { Revision } from '../store.ts';
import type { RawWrite } from './database.ts';
import { COMPACT_KEY, encodeNumber, versionKey } from './record.ts';

/** Removed along with one commit, so that tidying never delays a write for long. */
const REMOVALS_PER_COMMIT = 1_000;

/**
 * Versions compacted in memory and still on disk. Every commit takes some along, together with the revision up to
 * which was compacted: no crash leaves a hole in a history that still counts as readable.
 */
export class Removals {
  readonly #versions: Version[];
  /** How many of the first are in the commit under way. */
  #underWay = 0;
  /** Whether the compact revision on disk is behind the one in memory. */
  #isNoted = true;
  #waiting: (() => void)[] = [];

  constructor(leftBehind: readonly Version[]) {
    this.#versions = [...leftBehind];
  }

  add(forgotten: readonly Version[]): void {
    for (const version of forgotten) this.#versions.push(version);
    this.#isNoted = false;
  }

  /** Resolves when everything added so far is gone from disk, or will be tried again with later writes. */
  done(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  take(compactRevision: Revision): readonly RawWrite[] {
    if (this.#versions.length === 0 && this.#isNoted) return [];
    this.#underWay = Math.min(this.#versions.length, REMOVALS_PER_COMMIT);
    this.#isNoted = true;
    const raw: RawWrite[] = [{ key: COMPACT_KEY, value: encodeNumber(compactRevision) }];
    for (let at = 0; at < this.#underWay; at++) {
      const version = this.#versions[at];
      if (version !== undefined) raw.push({ key: versionKey(version.node.key, version) });
    }
    return raw;
  }

  committed(): void {
    this.#versions.splice(0, this.#underWay);
    this.#underWay = 0;
    if (this.#versions.length === 0 && this.#isNoted) this.giveUp();
  }

  failed(): void {
    this.#underWay = 0;
    this.#isNoted = false;
    this.giveUp();
  }

  /** Nobody needs to wait any longer. */
  giveUp(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}
