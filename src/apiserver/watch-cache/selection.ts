/** Which objects of a resource a list or watch is about: a namespace, a label selector, a field selector. */
import type { KubeObject } from '#machinery';
import type { CacheEntry } from './cache-entry.ts';

export interface FieldRequirement {
  readonly field: string;
  readonly op: '=' | '!=';
  readonly value: string;
}

export type FieldsOf = (object: KubeObject) => Readonly<Record<string, string>>;

/** `metadata.name` and `metadata.namespace`, which every kind can be selected by. */
export function metadataFields(object: KubeObject): Readonly<Record<string, string>> {
  return {
    'metadata.name': object.metadata.name ?? '',
    'metadata.namespace': object.metadata.namespace ?? '',
  };
}

/** The one field value by which the watches of a change are looked up instead of asking each of them. */
export interface SelectionTrigger {
  readonly field: string;
  readonly value: string;
}

export class Selection {
  readonly namespace: string | undefined;
  /** Equal for equal selections: watches that share it are evaluated once. */
  readonly identity: string;
  readonly #labels: ((labels: Readonly<Record<string, string>>) => boolean) | undefined;
  readonly #fields: readonly FieldRequirement[];
  readonly #fieldsOf: FieldsOf;

  constructor(options: {
    readonly namespace?: string | undefined;
    readonly labelSelector?: string;
    readonly matchLabels?: ((labels: Readonly<Record<string, string>>) => boolean) | undefined;
    readonly fields?: readonly FieldRequirement[];
    readonly fieldsOf?: FieldsOf | undefined;
  }) {
    this.namespace = options.namespace;
    this.#labels = options.matchLabels;
    this.#fields = options.fields ?? [];
    this.#fieldsOf = options.fieldsOf ?? metadataFields;
    const fieldText = this.#fields.map((f) => `${f.field}${f.op}${f.value}`).join(',');
    this.identity = `${options.namespace ?? ''}|${options.labelSelector ?? ''}|${fieldText}`;
  }

  /** No selector: everything in the namespace. */
  get isWhole(): boolean {
    return this.#labels === undefined && this.#fields.length === 0;
  }

  /** The one object the selection can match, when a field selector names it. */
  get singleName(): string | undefined {
    return this.#fields.find((f) => f.op === '=' && f.field === 'metadata.name')?.value;
  }

  /** The narrowest exact field; a namespace counts as one. */
  get trigger(): SelectionTrigger | undefined {
    const exact = this.#fields.filter((f) => f.op === '=');
    const narrowest = exact.find((f) => f.field === 'metadata.name') ?? exact[0];
    if (narrowest !== undefined) return { field: narrowest.field, value: narrowest.value };
    return this.namespace === undefined ? undefined : { field: 'metadata.namespace', value: this.namespace };
  }

  matches(entry: CacheEntry): boolean {
    if (this.namespace !== undefined && !entry.key.startsWith(`${this.namespace}/`)) return false;
    return this.isWhole || this.#matchesSelectors(entry);
  }

  #matchesSelectors(entry: CacheEntry): boolean {
    if (this.#labels !== undefined && !this.#labels(entry.object.metadata.labels ?? {})) return false;
    if (this.#fields.length === 0) return true;
    const fields = entry.fields(this.#fieldsOf);
    return this.#fields.every((f) => ((fields[f.field] ?? '') === f.value) === (f.op === '='));
  }
}
