/** `metadata.managedFields`, read into managers by identity and written back in upstream's order. */
import type { ManagedFieldsEntry } from '../object.ts';
import { compareText } from './compare-text.ts';
import { canonicalTree, EMPTY_SET, type FieldTree, isEmptyTree, union } from './field-tree.ts';

/** Entries of non-apply managers kept apart; the oldest beyond are merged into `ancient-changes`. */
export const MAX_UPDATE_MANAGERS = 10;
const ANCIENT_CHANGES = 'ancient-changes';

export interface ManagerKey {
  readonly manager: string;
  readonly operation: 'Apply' | 'Update';
  readonly apiVersion: string;
  readonly subresource?: string;
}

export interface Manager extends ManagerKey {
  readonly time?: string;
  readonly set: FieldTree;
}

/** By `managerId`. */
export type Managers = Map<string, Manager>;

/** One applier is the same in every version; an updater is another one in each. */
export function managerId(key: ManagerKey): string {
  return JSON.stringify({
    ...(key.manager === '' ? {} : { manager: key.manager }),
    operation: key.operation,
    ...(key.operation === 'Apply' ? {} : { apiVersion: key.apiVersion }),
    ...(key.subresource === undefined || key.subresource === '' ? {} : { subresource: key.subresource }),
  });
}

const trustedTrees = new WeakSet<object>();

/** @throws Error when an entry is malformed. */
export function readManagers(entries: readonly ManagedFieldsEntry[] | undefined): Managers {
  const managers: Managers = new Map();
  for (const [i, entry] of (entries ?? []).entries()) {
    const { operation, apiVersion } = entry;
    if (operation !== 'Apply' && operation !== 'Update') {
      throw new Error('operation must be `Apply` or `Update`');
    }
    if (apiVersion === undefined || apiVersion === '') throw new Error('apiVersion must not be empty');
    if (entry.fieldsType === undefined || entry.fieldsType === '') {
      throw new Error(`missing fieldsType in managed fields entry ${i}`);
    }
    if (entry.fieldsType !== 'FieldsV1') {
      throw new Error(`invalid fieldsType ${JSON.stringify(entry.fieldsType)} in managed fields entry ${i}`);
    }
    const key = { manager: entry.manager ?? '', operation, apiVersion, ...subresourceOf(entry) };
    managers.set(managerId(key), {
      ...key,
      ...(entry.time === undefined ? {} : { time: entry.time }),
      set: readTree(entry.fieldsV1),
    });
  }
  return managers;
}

function readTree(fields: unknown): FieldTree {
  if (fields === undefined || fields === null) return EMPTY_SET;
  if (trustedTrees.has(fields)) return fields as FieldTree;
  const tree = canonicalTree(fields);
  trustedTrees.add(tree);
  return tree;
}

const subresourceOf = (entry: { readonly subresource?: string }): { readonly subresource?: string } =>
  entry.subresource === undefined || entry.subresource === '' ? {} : { subresource: entry.subresource };

/** @returns undefined when nobody manages anything. */
export function writeManagers(managers: Managers): readonly ManagedFieldsEntry[] | undefined {
  if (managers.size === 0) return undefined;
  return [...managers.values()].sort(compareManagers).map((manager) => {
    trustedTrees.add(manager.set);
    return {
      ...(manager.manager === '' ? {} : { manager: manager.manager }),
      operation: manager.operation,
      apiVersion: manager.apiVersion,
      ...(manager.time === undefined ? {} : { time: manager.time }),
      fieldsType: 'FieldsV1',
      fieldsV1: manager.set,
      ...subresourceOf(manager),
    };
  });
}

function compareManagers(a: Manager, b: Manager): number {
  return (
    compareText(a.operation, b.operation) ||
    secondsOf(a) - secondsOf(b) ||
    compareText(a.manager, b.manager) ||
    compareText(a.apiVersion, b.apiVersion) ||
    compareText(a.subresource ?? '', b.subresource ?? '')
  );
}

const secondsOf = (manager: Manager): number =>
  manager.time === undefined ? 0 : Math.floor(Date.parse(manager.time) / 1000);

/** True for `[]` and `[{}]`: the writer asks to forget all ownership. */
export function isManagersReset(entries: readonly ManagedFieldsEntry[] | null | undefined): boolean {
  if (entries === undefined || entries === null) return false;
  const [first] = entries;
  return first === undefined || (entries.length === 1 && isEmptyEntry(first));
}

function isEmptyEntry(entry: ManagedFieldsEntry): boolean {
  return Object.values(entry).every((value) => value === undefined || value === null || value === '');
}

export function dropEmpty(managers: Managers): void {
  for (const [id, manager] of managers) if (isEmptyTree(manager.set)) managers.delete(id);
}

/** Merges the oldest updaters of each version until no more than the limit are left. */
export function capUpdateManagers(managers: Managers): void {
  const updaters = [...managers].filter(([, manager]) => manager.operation === 'Update');
  let count = updaters.length;
  if (count <= MAX_UPDATE_MANAGERS) return;
  updaters.sort(([aId, a], [bId, b]) => secondsOf(a) - secondsOf(b) || compareText(aId, bId));
  const firstOfVersion = new Map<string, string>();
  for (const [id, updater] of updaters) {
    if (count <= MAX_UPDATE_MANAGERS) return;
    const { apiVersion } = updater;
    const first = firstOfVersion.get(apiVersion);
    if (first === undefined) {
      firstOfVersion.set(apiVersion, id);
      continue;
    }
    const key: ManagerKey = { manager: ANCIENT_CHANGES, operation: 'Update', apiVersion };
    const bucketId = managerId(key);
    const bucket = managers.get(bucketId) ?? managers.get(first);
    if (!managers.has(bucketId)) managers.delete(first);
    managers.delete(id);
    managers.set(bucketId, {
      ...key,
      ...(updater.time === undefined ? {} : { time: updater.time }),
      set: union(updater.set, bucket?.set ?? EMPTY_SET),
    });
    count--;
  }
}
