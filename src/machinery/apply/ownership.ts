/**
 * Who owns what after a write (KEP-555): the heart of server-side apply.
 *
 * Sets of managers are kept per API version; a manager of another version is judged by the objects converted to
 * that version, and forgotten when the version is no longer served.
 */
import type { KubeObject } from '../object.ts';
import type { StructSchema } from '../schema.ts';
import { type ApplyType, applyTypeOf } from './apply-type.ts';
import type { FieldFilter } from './field-filter.ts';
import {
  difference,
  EMPTY_SET,
  type FieldTree,
  hasChildren,
  intersection,
  isEmptyTree,
  union,
} from './field-tree.ts';
import { dropEmpty, type Manager, type ManagerKey, type Managers } from './managers.ts';
import { reconcileWithSchema } from './reconcile.ts';
import { compareValues } from './typed-compare.ts';
import { fieldSetOf, withNamedFields } from './typed-field-set.ts';
import { mergeValues } from './typed-merge.ts';
import { removeFields } from './typed-remove.ts';

/** @returns undefined when the version is not served. */
export type VersionConverter = (
  object: KubeObject,
  apiVersion: string,
) => { readonly object: KubeObject; readonly schema: StructSchema } | undefined;

/** A value together with the version and type it has. */
export interface Versioned {
  readonly value: unknown;
  readonly type: ApplyType;
  readonly apiVersion: string;
}

/** What a write did, as far as its endpoint can own it. */
interface Change {
  /** Added or modified. */
  readonly set: FieldTree;
  readonly removed: FieldTree;
}

export interface OwnershipOptions {
  readonly filter: FieldFilter;
  /** Absent: every version is taken to have the same shape. */
  readonly convert?: VersionConverter;
}

/** Thrown inside this folder only: what each manager would lose. */
export class OwnershipConflict extends Error {
  readonly conflicts: ReadonlyMap<string, FieldTree>;
  readonly managers: Managers;

  constructor(conflicts: ReadonlyMap<string, FieldTree>, managers: Managers) {
    super('conflict');
    this.conflicts = conflicts;
    this.managers = managers;
  }
}

export class Ownership {
  readonly #filter: FieldFilter;
  readonly #convert: VersionConverter | undefined;

  constructor(options: OwnershipOptions) {
    this.#filter = options.filter;
    this.#convert = options.convert;
  }

  /**
   * After a write that is no apply: takes what it changed from everyone.
   * @returns what the writer now owns by this write alone; `managers` is changed in place.
   */
  update(live: Versioned, next: Versioned, managers: Managers): FieldTree {
    // Nobody to take it from: every create.
    if (managers.size === 0) return this.#changed(live, next);
    this.#reconcile(live, managers);
    return this.#transfer(live, next, managers, undefined, true).set;
  }

  /**
   * Merges an applied configuration and takes out what the applier no longer applies and nobody else owns.
   * @throws OwnershipConflict unless `force`.
   */
  apply(
    live: Versioned,
    config: Versioned,
    managers: Managers,
    applier: ApplierKey,
    force: boolean,
  ): unknown {
    this.#reconcile(live, managers);
    const merged = { ...live, value: mergeValues(live.type, live.value, config.value) };
    const last = managers.get(applier.id);
    managers.set(applier.id, {
      ...applier.key,
      ...(last?.time === undefined ? {} : { time: last.time }),
      set: this.#filter(fieldSetOf(config.type, config.value)),
    });
    const pruned = this.#prune(merged, managers, applier.id, last);
    this.#transfer(live, pruned, managers, applier.id, force);
    return pruned.value;
  }

  #reconcile(live: Versioned, managers: Managers): void {
    for (const [id, manager] of managers) {
      const versioned = this.#at(live, manager.apiVersion);
      if (versioned === undefined) continue;
      const set = reconcileWithSchema(versioned.type, manager.set);
      if (set !== manager.set) managers.set(id, { ...manager, set });
    }
  }

  #at(versioned: Versioned, apiVersion: string): Versioned | undefined {
    if (versioned.apiVersion === apiVersion || this.#convert === undefined) return versioned;
    const converted = this.#convert(versioned.value as KubeObject, apiVersion);
    if (converted === undefined) return undefined;
    return { value: converted.object, type: applyTypeOf(converted.schema), apiVersion };
  }

  /** Everyone but `self` loses what changed. */
  #transfer(
    live: Versioned,
    next: Versioned,
    managers: Managers,
    self: string | undefined,
    force: boolean,
  ): Change {
    const changes = new Map<string, Change | undefined>();
    const changeAt = (apiVersion: string): Change | undefined => {
      if (!changes.has(apiVersion)) changes.set(apiVersion, this.#compare(live, next, apiVersion));
      return changes.get(apiVersion);
    };
    const conflicts = new Map<string, FieldTree>();
    for (const [id, manager] of managers) {
      if (id === self) continue;
      const change = changeAt(manager.apiVersion);
      if (change === undefined) {
        managers.delete(id);
        continue;
      }
      const conflict = intersection(manager.set, change.set);
      if (!isEmptyTree(conflict)) conflicts.set(id, conflict);
    }
    if (!force && conflicts.size > 0) throw new OwnershipConflict(conflicts, managers);
    for (const [id, manager] of managers) {
      if (id === self) continue;
      const { set = EMPTY_SET, removed = EMPTY_SET } = changeAt(manager.apiVersion) ?? {};
      const kept = difference(difference(manager.set, set), removed);
      if (kept !== manager.set) managers.set(id, { ...manager, set: kept });
    }
    dropEmpty(managers);
    return changeAt(live.apiVersion) ?? { set: EMPTY_SET, removed: EMPTY_SET };
  }

  #changed(live: Versioned, next: Versioned): FieldTree {
    const { added, modified } = compareValues(live.type, live.value, next.value);
    return this.#filter(union(modified, added));
  }

  #compare(live: Versioned, next: Versioned, apiVersion: string): Change | undefined {
    const before = this.#at(live, apiVersion);
    const after = this.#at(next, apiVersion);
    if (before === undefined || after === undefined) return undefined;
    const { added, modified, removed } = compareValues(before.type, before.value, after.value);
    return { set: this.#filter(union(modified, added)), removed: this.#filter(removed) };
  }

  /** Takes out of `merged` what was applied last time, is not applied now, and nobody else owns. */
  #prune(merged: Versioned, managers: Managers, applierId: string, last: Manager | undefined): Versioned {
    if (last === undefined || isEmptyTree(last.set)) return merged;
    const now = managers.get(applierId)?.set ?? EMPTY_SET;
    if (last.apiVersion === merged.apiVersion && isEmptyTree(difference(last.set, now))) return merged;
    const atLast = this.#at(merged, last.apiVersion);
    if (atLast === undefined) return merged;
    const lastSet = withNamedFields(last.set, atLast.type);
    let pruned: Versioned = { ...atLast, value: removeFields(atLast.type, atLast.value, lastSet) };
    for (const [apiVersion, owned] of ownedByVersion(managers, last.apiVersion)) {
      pruned = this.#addBackOwned(atLast, pruned, apiVersion, owned);
    }
    const prunedAtLast = this.#at(pruned, last.apiVersion);
    if (prunedAtLast === undefined) return merged;
    const before = withNamedFields(fieldSetOf(atLast.type, atLast.value), atLast.type);
    const after = withNamedFields(fieldSetOf(atLast.type, prunedAtLast.value), atLast.type);
    const gone = intersection(difference(before, after), lastSet);
    const result = { ...atLast, value: removeFields(atLast.type, atLast.value, gone) };
    return this.#at(result, merged.apiVersion) ?? result;
  }

  #addBackOwned(merged: Versioned, pruned: Versioned, apiVersion: string, owned: FieldTree): Versioned {
    const full = this.#at(merged, apiVersion);
    const cut = this.#at(pruned, apiVersion);
    if (full === undefined || cut === undefined) return pruned;
    const named = (set: FieldTree): FieldTree => withNamedFields(set, full.type);
    const before = named(fieldSetOf(full.type, full.value));
    const after = named(fieldSetOf(full.type, cut.value));
    const gone = difference(before, union(after, named(owned)));
    return { ...full, value: removeFields(full.type, full.value, gone) };
  }
}

export interface ApplierKey {
  readonly id: string;
  readonly key: ManagerKey;
}

/** All that anyone owns, by version; the version of the pruned set first. */
function ownedByVersion(managers: Managers, first: string): Map<string, FieldTree> {
  const owned = new Map<string, FieldTree>([[first, EMPTY_SET]]);
  for (const { apiVersion, set } of managers.values()) {
    owned.set(apiVersion, union(owned.get(apiVersion) ?? EMPTY_SET, set));
  }
  if (!hasChildren(owned.get(first) ?? EMPTY_SET)) owned.delete(first);
  return owned;
}
