/**
 * The history of a template, as DaemonSets and StatefulSets keep it: one ControllerRevision for each template they
 * had, numbered upwards; the one in use has the highest number, also when it came back from the past.
 */
import type { appsV1, coreV1, Draft } from '#api';
import { type Client, type Informer, type ResourceRef, resources } from '#client';
import { compileLabelSelector, deepEqual, isAlreadyExists, type LabelSelectorObject } from '#machinery';
import { templateHash } from '../deployment/template-hash.ts';
import { controlledBy, orphansIn } from './indexes.ts';
import { claim, controllerReference } from './ownership.ts';

export type Revision = appsV1.ControllerRevision;

/** Label of pods: which revision they were made from. */
export const REVISION_LABEL = 'controller-revision-hash';
/** Longest prefix of a revision's name that leaves room for its hash. */
const MAX_NAME_PREFIX = 223;

export interface RevisionOwner {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: appsV1.DaemonSet['metadata'];
  readonly spec: { readonly selector?: LabelSelectorObject; readonly template: coreV1.PodTemplateSpec };
  readonly status: { readonly collisionCount?: number };
}

/**
 * The patch that brings the template of a revision back. Tools recognise the revision of a template by the bytes of
 * this patch: keys in order, as Go prints maps.
 */
export function revisionData(template: coreV1.PodTemplateSpec): unknown {
  return { spec: { template: sorted({ ...template, $patch: 'replace' }) } };
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([, field]) => field !== undefined);
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, field]) => [key, sorted(field)]));
}

/** The template a revision holds. */
export function templateOf({ data }: Revision): coreV1.PodTemplateSpec | undefined {
  const spec = (data as { readonly spec?: { readonly template?: unknown } } | undefined)?.spec;
  if (typeof spec?.template !== 'object' || spec.template === null) return undefined;
  const { $patch: _, ...template } = spec.template as { readonly $patch?: string } & coreV1.PodTemplateSpec;
  return template;
}

export function isRevisionOf(revision: Revision, template: coreV1.PodTemplateSpec): boolean {
  const held = templateOf(revision);
  return held !== undefined && deepEqual(withoutTime(held), withoutTime(template));
}

/** Upstream writes a creation time of null into templates. */
function withoutTime(template: coreV1.PodTemplateSpec): unknown {
  const { creationTimestamp: _, ...metadata } = template.metadata ?? {};
  return { ...template, metadata };
}

/** Oldest first. */
export function byRevision(revisions: readonly Revision[]): readonly Revision[] {
  const age = ({ metadata }: Revision): string => `${metadata.creationTimestamp} ${metadata.name}`;
  return revisions.toSorted((a, b) => a.revision - b.revision || (age(a) < age(b) ? -1 : 1));
}

export interface RevisionHistoryOptions<T extends RevisionOwner> {
  readonly client: Client;
  readonly revisions: Informer<Revision>;
  readonly owners: ResourceRef<T>;
  /** Labels of a new revision, given its hash. */
  readonly labelsOf: (owner: T, hash: string) => Readonly<Record<string, string>>;
}

export interface CurrentRevision {
  readonly current: Revision;
  readonly old: readonly Revision[];
  readonly collisionCount: number | undefined;
}

export class RevisionHistory<T extends RevisionOwner> {
  readonly #options: RevisionHistoryOptions<T>;

  constructor(options: RevisionHistoryOptions<T>) {
    this.#options = options;
  }

  /** All revisions of the owner, adopting and releasing on the way; oldest first. */
  async claim(owner: T): Promise<readonly Revision[]> {
    const { client, revisions, owners } = this.#options;
    const { name, namespace = '', uid } = owner.metadata;
    const candidates = [...controlledBy(revisions, uid), ...orphansIn(revisions, namespace)];
    const claimed = await claim(candidates, {
      owner,
      matches: compileLabelSelector(owner.spec.selector),
      readOwner: () => client.resource(owners, namespace).get(name),
      patch: (revision, patch) =>
        client
          .resource(resources.controllerRevisions, namespace)
          .patch(revision.metadata.name, 'application/strategic-merge-patch+json', patch),
    });
    return byRevision(claimed);
  }

  /** The revision of the owner's template, made or brought to the top where needed. */
  async current(owner: T): Promise<CurrentRevision> {
    const all = await this.claim(owner);
    const { collisionCount } = owner.status;
    const equal = all.filter((revision) => isRevisionOf(revision, owner.spec.template));
    const newest = equal.at(-1);
    const old = all.filter((revision) => revision !== newest);
    const top = Math.max(0, ...old.map(({ revision }) => revision));
    if (newest === undefined) return { ...(await this.#create(owner, top + 1)), old };
    if (newest.revision > top) return { current: newest, old, collisionCount };
    const current = await this.#options.client
      .resource(resources.controllerRevisions)
      .update({ ...newest, revision: top + 1 });
    return { current, old, collisionCount };
  }

  async #create(owner: T, revision: number): Promise<Omit<CurrentRevision, 'old'>> {
    const { name, namespace = '' } = owner.metadata;
    const revisions = this.#options.client.resource(resources.controllerRevisions, namespace);
    let { collisionCount } = owner.status;
    for (;;) {
      const hash = templateHash(owner.spec.template, collisionCount);
      const draft: Draft<Revision> = {
        metadata: {
          name: `${name.slice(0, MAX_NAME_PREFIX)}-${hash}`,
          namespace,
          labels: this.#options.labelsOf(owner, hash),
          ...(owner.metadata.annotations === undefined ? {} : { annotations: owner.metadata.annotations }),
          ownerReferences: [controllerReference(owner)],
        },
        data: revisionData(owner.spec.template),
        revision,
      };
      try {
        return { current: await revisions.create(draft), collisionCount };
      } catch (error) {
        if (!isAlreadyExists(error)) throw error;
        const existing = await revisions.get(draft.metadata.name ?? '');
        if (isRevisionOf(existing, owner.spec.template)) return { current: existing, collisionCount };
        collisionCount = (collisionCount ?? 0) + 1;
      }
    }
  }

  /** Removes the oldest that nothing uses, until as many are left as may be kept. */
  async prune(
    old: readonly Revision[],
    keep: number,
    isUsed: (revision: Revision) => boolean,
  ): Promise<void> {
    const unused = byRevision(old.filter((revision) => !isUsed(revision)));
    for (const { metadata } of unused.slice(0, Math.max(0, old.length - keep)))
      await this.#options.client
        .resource(resources.controllerRevisions, metadata.namespace ?? '')
        .delete(metadata.name);
  }
}
