import { type ApiEndpoint, type KubeObject, notFound, type UserInfo } from '#machinery';
import type { Clock, Random } from '#platform';
import type { Authorizer } from '../authorization/authorizer.ts';
import { RbacIndex } from '../authorization/rbac-index.ts';
import { ObjectTable } from '../object-table.fixture.ts';
import type { AdmissionAttributes, AdmissionPlugin } from './admission.ts';
import type { AdmissionOptions } from './index.ts';

export interface Write {
  /** `pods`, `pods/status`, `deployments.apps`. */
  readonly resource: string;
  readonly operation?: AdmissionAttributes['operation'];
  readonly object?: KubeObject;
  readonly oldObject?: KubeObject;
  readonly name?: string;
  readonly namespace?: string;
  readonly user?: UserInfo;
  readonly dryRun?: boolean;
  readonly signal?: AbortSignal;
}

/** Runs writes through plugins over a table of objects: what tests of single plugins are written with. */
export class AdmissionHarness {
  readonly table = new ObjectTable();
  readonly warnings: string[] = [];
  /** Answers the plugins' own requests; a test replaces it. */
  endpoint: ApiEndpoint = {
    request: async ({ group, resource, name = '' }) => {
      throw notFound({ group, resource }, name);
    },
    watch: async () => {
      throw new Error('admission plugins do not watch');
    },
  };
  authorizer: Authorizer = { authorize: () => ({ verdict: 'no-opinion', reason: '' }) };
  readonly plugins: readonly AdmissionPlugin[];

  constructor(
    options: { readonly clock: Clock; readonly random: Random },
    plugins: (options: AdmissionOptions) => readonly AdmissionPlugin[],
  ) {
    this.plugins = plugins({
      ...options,
      reader: this.table,
      index: new RbacIndex(this.table),
      authorizer: { authorize: (attributes) => this.authorizer.authorize(attributes) },
      dependencies: {
        endpoint: {
          request: (...request) => this.endpoint.request(...request),
          watch: (...request) => this.endpoint.watch(...request),
        },
      },
    });
  }

  /** Cluster-scoped unless it has a namespace; the kind is of no importance. */
  put(resource: string, name: string, fields: object = {}, metadata: object = {}): KubeObject {
    const { group, resource: plural } = parse(resource);
    const object = { apiVersion: 'v1', kind: 'Any', metadata: { name, ...metadata }, ...fields };
    return this.table.put({ group, resource: plural }, object);
  }

  /** Mutates, then validates; returns the object as it would be stored. */
  async admit(write: Write): Promise<KubeObject | undefined> {
    const { group, resource, subresource } = parse(write.resource);
    const base = {
      operation: write.operation ?? 'CREATE',
      target: { group, version: 'v1', resource, subresource, namespace: write.namespace, name: write.name },
      kind: write.object?.kind ?? 'Any',
      user: write.user ?? { name: 'jane', groups: [] },
      oldObject: write.oldObject,
      dryRun: write.dryRun ?? false,
      warn: (text: string) => void this.warnings.push(text),
      signal: write.signal ?? new AbortController().signal,
    };
    let { object } = write;
    for (const plugin of this.plugins) object = (await plugin.mutate?.({ ...base, object })) ?? object;
    for (const plugin of this.plugins) await plugin.validate?.({ ...base, object });
    return object;
  }
}

function parse(text: string): { group: string; resource: string; subresource?: string } {
  const [qualified = '', subresource] = text.split('/');
  const dot = qualified.indexOf('.');
  return {
    group: dot < 0 ? '' : qualified.slice(dot + 1),
    resource: dot < 0 ? qualified : qualified.slice(0, dot),
    ...(subresource === undefined ? {} : { subresource }),
  };
}
