/** A stored object for tests: writes go through the functions under test as an API server would send them. */
import type { KubeObject } from '../object.ts';
import { applyMergePatch } from '../patch/merge-patch.ts';
import type { StructSchema } from '../schema.ts';
import { StatusError } from '../status-error.ts';
import type { FieldFilter } from './field-filter.ts';
import { applyServerSide, trackUpdate } from './server-side-apply.ts';

interface WriteSettings {
  readonly force?: boolean;
  readonly subresource?: string;
  readonly filter?: FieldFilter;
}

export class StoredObject {
  #object: KubeObject | undefined;
  #seconds = 0;
  readonly #schema: StructSchema;
  readonly #identity: { readonly apiVersion: string; readonly kind: string };
  readonly #name: string;

  constructor(schema: StructSchema, apiVersion: string, kind: string, name: string) {
    this.#schema = schema;
    this.#identity = { apiVersion, kind };
    this.#name = name;
  }

  get object(): KubeObject {
    if (this.#object === undefined) throw new Error('nothing is stored');
    return this.#object;
  }

  /** `manager operation[/subresource] fields`, one line for each entry. */
  get owners(): readonly string[] {
    return (this.object.metadata.managedFields ?? []).map((entry) => {
      const subresource = entry.subresource === undefined ? '' : `/${entry.subresource}`;
      return `${entry.manager} ${entry.operation}${subresource} ${JSON.stringify(entry.fieldsV1)}`;
    });
  }

  create(manager: string, body: object): void {
    const next = this.#body(body);
    this.#object = trackUpdate({ ...this.#options(manager, {}), live: undefined, next });
  }

  patch(manager: string, patch: unknown, settings: WriteSettings = {}): void {
    const live = this.object;
    const next = applyMergePatch(live, patch) as KubeObject;
    this.#object = trackUpdate({ ...this.#options(manager, settings), live, next });
  }

  apply(manager: string, body: unknown, settings: WriteSettings = {}): void {
    const applied =
      typeof body === 'object' && body !== null && !Array.isArray(body) ? this.#body(body) : body;
    this.#object = applyServerSide({
      ...this.#options(manager, settings),
      kind: this.#identity.kind,
      live: this.#object,
      applied,
      force: settings.force === true,
    }).object;
  }

  /** `code message` of an apply that is refused. */
  refusal(manager: string, body: unknown, settings: WriteSettings = {}): string {
    try {
      this.apply(manager, body, settings);
    } catch (e) {
      if (e instanceof StatusError) return `${e.code} ${e.message}`;
      throw e;
    }
    return 'taken';
  }

  #body(body: object): KubeObject {
    const { metadata, ...rest } = body as { readonly metadata?: object };
    return { ...this.#identity, metadata: { name: this.#name, ...metadata }, ...rest };
  }

  #options(manager: string, settings: WriteSettings) {
    return {
      schema: this.#schema,
      apiVersion: this.#identity.apiVersion,
      manager,
      now: `2026-01-01T00:00:${String(this.#seconds++).padStart(2, '0')}Z`,
      ...(settings.subresource === undefined ? {} : { subresource: settings.subresource }),
      ...(settings.filter === undefined ? {} : { filter: settings.filter }),
    };
  }
}
