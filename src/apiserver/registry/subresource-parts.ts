/**
 * Which part of an object a write may touch: PUT and PATCH of an object leave its status alone, those of a
 * subresource leave everything else alone.
 */
import type { KubeObject } from '#machinery';
import { withMetadata } from './object-metadata.ts';
import type { ServedResource } from './served-resource.ts';

/** `asked` with everything taken from `live` that this write has no business with. */
export function ownPart(
  asked: KubeObject,
  live: KubeObject,
  served: ServedResource,
  subresource: string | undefined,
): KubeObject {
  switch (subresource) {
    case undefined:
      return served.hasSubresource('status') ? withField(asked, 'status', live.status) : asked;
    case 'status':
      return statusOf(asked, live, served);
    case 'approval':
      return approvalOf(asked, live);
    case 'finalize':
      return finalizersOf(asked, live);
    case 'ephemeralcontainers':
      return onlyIn(asked, live, ['ephemeralContainers']);
    case 'resize':
      return resizeOf(asked, live);
    default:
      return asked;
  }
}

/** A status write may also change labels and annotations of most built-in kinds, as their strategies allow. */
function statusOf(asked: KubeObject, live: KubeObject, served: ServedResource): KubeObject {
  return withField(
    { ...live, metadata: statusMetadata(asked, live, served).metadata },
    'status',
    asked.status,
  );
}

function statusMetadata(asked: KubeObject, live: KubeObject, served: ServedResource): KubeObject {
  const { statusMetadata: rule } = served.stored.policy;
  switch (rule) {
    case 'open':
      return asked;
    case 'labels kept':
      return withMetadata(asked, { labels: live.metadata.labels });
    case 'owners kept':
      return withMetadata(asked, { ownerReferences: live.metadata.ownerReferences });
    case 'kept':
      return withMetadata(live, { managedFields: asked.metadata.managedFields });
    default:
      return rule satisfies never;
  }
}

/** Conditions of kind Approved and Denied are all that an approval brings. */
function approvalOf(asked: KubeObject, live: KubeObject): KubeObject {
  const status = {
    ...(live.status as object | undefined),
    conditions: (asked.status as { conditions?: unknown })?.conditions,
  };
  return { ...live, metadata: asked.metadata, status };
}

function finalizersOf(asked: KubeObject, live: KubeObject): KubeObject {
  const { finalizers } = (asked.spec ?? {}) as { readonly finalizers?: readonly string[] };
  return { ...live, metadata: asked.metadata, spec: { ...(live.spec as object), finalizers } };
}

function onlyIn(asked: KubeObject, live: KubeObject, fields: readonly string[]): KubeObject {
  const from = (asked.spec ?? {}) as Readonly<Record<string, unknown>>;
  const spec: Record<string, unknown> = { ...(live.spec as object) };
  for (const field of fields) {
    if (from[field] === undefined) delete spec[field];
    else spec[field] = from[field];
  }
  return { ...live, metadata: { ...live.metadata, managedFields: asked.metadata.managedFields }, spec };
}

interface Container {
  readonly name: string;
  readonly resources?: unknown;
  readonly resizePolicy?: unknown;
}

/** Resources and resize policies of containers that exist; nothing else of the pod. */
function resizeOf(asked: KubeObject, live: KubeObject): KubeObject {
  const from = (asked.spec ?? {}) as {
    readonly containers?: readonly Container[];
    readonly initContainers?: readonly Container[];
  };
  const spec = live.spec as {
    readonly containers?: readonly Container[];
    readonly initContainers?: readonly Container[];
  };
  const resized = (
    mine: readonly Container[] = [],
    theirs: readonly Container[] = [],
  ): readonly Container[] =>
    mine.map((container) => {
      const wanted = theirs.find(({ name }) => name === container.name);
      if (wanted === undefined) return container;
      return {
        ...container,
        resources: wanted.resources,
        resizePolicy: wanted.resizePolicy ?? container.resizePolicy,
      };
    });
  return {
    ...live,
    metadata: { ...live.metadata, managedFields: asked.metadata.managedFields },
    spec: {
      ...spec,
      containers: resized(spec.containers, from.containers),
      ...(spec.initContainers === undefined
        ? {}
        : { initContainers: resized(spec.initContainers, from.initContainers) }),
    },
  };
}

function withField(object: KubeObject, field: string, value: unknown): KubeObject {
  if (object[field] === value) return object;
  const { [field]: _, ...rest } = object;
  return (value === undefined ? rest : { ...rest, [field]: value }) as KubeObject;
}
