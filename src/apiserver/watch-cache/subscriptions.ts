/**
 * Who watches a resource. Watches with the same selection form a group, so a change is evaluated once per group.
 * Groups with an exact field (`spec.nodeName=n1`, a namespace) are found by its value: with a thousand kubelets
 * watching their own pods, one pod's change asks one group, not a thousand.
 */
import type { Revision } from '#store';
import type { CacheEntry } from './cache-entry.ts';
import type { CacheEvent, ChangeType } from './cache-event.ts';
import type { FieldsOf, Selection } from './selection.ts';

/** Called synchronously, in revision order; must not throw. */
export interface Watcher {
  change(event: CacheEvent, type: ChangeType): void;
  /** Everything up to `revision` has been delivered. */
  bookmark(revision: Revision): void;
  /** The cache stops; no call comes after it. */
  end(): void;
}

export class WatcherGroup {
  readonly selection: Selection;
  readonly #watchers = new Set<Watcher>();
  readonly #onEmpty: (group: WatcherGroup) => void;

  constructor(selection: Selection, onEmpty: (group: WatcherGroup) => void) {
    this.selection = selection;
    this.#onEmpty = onEmpty;
  }

  get watchers(): Iterable<Watcher> {
    return this.#watchers;
  }

  add(watcher: Watcher): void {
    this.#watchers.add(watcher);
  }

  remove(watcher: Watcher): void {
    if (this.#watchers.delete(watcher) && this.#watchers.size === 0) this.#onEmpty(this);
  }

  deliver(event: CacheEvent): void {
    const type = changeFor(this.selection, event);
    if (type === undefined) return;
    for (const watcher of this.#watchers) watcher.change(event, type);
  }
}

/** What a change is to a selection: an object may start or stop matching. Undefined: nothing. */
export function changeFor(selection: Selection, event: CacheEvent): ChangeType | undefined {
  const before = event.previous !== undefined && selection.matches(event.previous);
  const after = event.current !== undefined && selection.matches(event.current);
  if (after) return before ? 'MODIFIED' : 'ADDED';
  return before ? 'DELETED' : undefined;
}

export class Subscriptions {
  readonly #fieldsOf: FieldsOf;
  readonly #byIdentity = new Map<string, WatcherGroup>();
  readonly #untriggered = new Set<WatcherGroup>();
  readonly #triggered = new Map<string, Map<string, Set<WatcherGroup>>>();

  constructor(fieldsOf: FieldsOf) {
    this.#fieldsOf = fieldsOf;
  }

  get isEmpty(): boolean {
    return this.#byIdentity.size === 0;
  }

  /** The group of this selection; it exists as long as it has watchers. */
  group(selection: Selection): WatcherGroup {
    const known = this.#byIdentity.get(selection.identity);
    if (known !== undefined) return known;
    const group = new WatcherGroup(selection, (empty) => this.#drop(empty));
    this.#byIdentity.set(selection.identity, group);
    this.#bucket(group).add(group);
    return group;
  }

  deliver(event: CacheEvent): void {
    for (const group of this.#untriggered) group.deliver(event);
    for (const [field, byValue] of this.#triggered) {
      const before = event.previous && this.#value(event.previous, field);
      const after = event.current && this.#value(event.current, field);
      if (before !== undefined) for (const group of byValue.get(before) ?? []) group.deliver(event);
      if (after !== undefined && after !== before) {
        for (const group of byValue.get(after) ?? []) group.deliver(event);
      }
    }
  }

  *watchers(): Generator<Watcher> {
    for (const group of this.#byIdentity.values()) yield* group.watchers;
  }

  #value(entry: CacheEntry, field: string): string {
    return entry.fields(this.#fieldsOf)[field] ?? '';
  }

  #bucket(group: WatcherGroup): Set<WatcherGroup> {
    const { trigger } = group.selection;
    if (trigger === undefined) return this.#untriggered;
    let byValue = this.#triggered.get(trigger.field);
    if (byValue === undefined) this.#triggered.set(trigger.field, (byValue = new Map()));
    let groups = byValue.get(trigger.value);
    if (groups === undefined) byValue.set(trigger.value, (groups = new Set()));
    return groups;
  }

  #drop(group: WatcherGroup): void {
    this.#byIdentity.delete(group.selection.identity);
    const { trigger } = group.selection;
    this.#bucket(group).delete(group);
    if (trigger === undefined) return;
    const byValue = this.#triggered.get(trigger.field);
    if (byValue?.get(trigger.value)?.size === 0) byValue.delete(trigger.value);
    if (byValue?.size === 0) this.#triggered.delete(trigger.field);
  }
}
