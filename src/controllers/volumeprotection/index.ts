/**
 * Storage that is in use does not go: admission puts a finalizer on claims, volumes and attribute classes, and these
 * controllers take it away once an object is to be deleted and nobody uses it any more.
 */
import type { coreV1 } from '#api';
import { type Informer, objectKey, type ResourceRef, resources } from '#client';
import { isNotFound } from '#machinery';
import { type Controller, type ControllerContext, defineController } from '../frame/controller.ts';

const WORKERS = 2;

interface Protected {
  readonly metadata: {
    readonly namespace?: string;
    readonly name?: string;
    readonly deletionTimestamp?: string;
    readonly finalizers?: readonly string[];
  };
}

interface Uses<T> {
  /** Informers that `isUsed` looks into. */
  readonly informers: readonly Pick<Informer<unknown>, 'synced'>[];
  readonly isUsed: (object: T) => boolean;
  readonly stop: () => void;
}

interface Protection<T extends Protected> {
  readonly name: string;
  readonly resource: ResourceRef<T>;
  readonly finalizer: string;
  /** `ended(key)`: a user of that object may have gone. */
  readonly watchUses: (context: ControllerContext, ended: (key: string) => void) => Uses<T>;
}

function protectionController<T extends Protected>(protection: Protection<T>): Controller {
  const { name, resource, finalizer, watchUses } = protection;
  return defineController({
    name,
    workers: WORKERS,
    setup(context) {
      const { client, informers, queue } = context;
      const objects = informers.for(resource);
      const waits = ({ metadata }: Protected): boolean =>
        metadata.deletionTimestamp !== undefined && metadata.finalizers?.includes(finalizer) === true;
      const enqueue = (object: T): void => {
        if (waits(object)) queue.add(objectKey(object));
      };
      const remove = objects.addHandler({ onAdd: enqueue, onUpdate: enqueue });
      const uses = watchUses(context, (key) => {
        const object = objects.get(key);
        if (object !== undefined) enqueue(object);
      });
      return {
        informers: [objects, ...uses.informers],
        async reconcile(key) {
          const object = objects.get(key);
          if (object === undefined || !waits(object) || uses.isUsed(object)) return undefined;
          const { metadata } = object;
          const finalizers = metadata.finalizers?.filter((other) => other !== finalizer);
          try {
            await client
              .resource(resource, metadata.namespace ?? '')
              .update({ ...object, metadata: { ...metadata, finalizers } });
          } catch (error) {
            if (!isNotFound(error)) throw error;
          }
          return undefined;
        },
        stop() {
          remove();
          uses.stop();
        },
      };
    },
  });
}

/** Names of the claims a pod uses, those made for its ephemeral volumes too. */
function claimsOf({ metadata, spec }: coreV1.Pod): readonly string[] {
  return (spec.volumes ?? []).flatMap(({ name, persistentVolumeClaim, ephemeral }) => {
    if (persistentVolumeClaim !== undefined) return [persistentVolumeClaim.claimName];
    return ephemeral === undefined ? [] : [`${metadata.name}-${name}`];
  });
}

const claimKeysOf = (pod: coreV1.Pod): readonly string[] =>
  claimsOf(pod).map((claim) => `${pod.metadata.namespace ?? ''}/${claim}`);

/** A claim is in use by pods that have a node: no kubelet starts a pod whose claim is to be deleted. */
export const claimProtectionController = protectionController({
  name: 'pvc-protection-controller',
  resource: resources.persistentVolumeClaims,
  finalizer: 'kubernetes.io/pvc-protection',
  watchUses({ informers }, ended) {
    const pods = informers.for(resources.pods);
    pods.addIndex('claims', claimKeysOf);
    const stop = pods.addHandler({ onDelete: (pod) => claimKeysOf(pod).forEach(ended) });
    return {
      informers: [pods],
      isUsed: (claim) =>
        pods.byIndex('claims', objectKey(claim)).some(({ spec }) => (spec.nodeName ?? '') !== ''),
      stop,
    };
  },
});

/** A volume is in use while it is bound to a claim. */
export const volumeProtectionController = protectionController({
  name: 'pv-protection-controller',
  resource: resources.persistentVolumes,
  finalizer: 'kubernetes.io/pv-protection',
  watchUses: () => ({
    informers: [],
    isUsed: ({ status }) => status?.phase === 'Bound',
    stop: () => undefined,
  }),
});

const classesOfClaim = ({ spec, status }: coreV1.PersistentVolumeClaim): readonly string[] =>
  [
    spec?.volumeAttributesClassName,
    status?.currentVolumeAttributesClassName,
    status?.modifyVolumeStatus?.targetVolumeAttributesClassName,
  ].filter((name): name is string => name !== undefined && name !== '');

const classesOfVolume = ({ spec }: coreV1.PersistentVolume): readonly string[] => {
  const name = spec?.volumeAttributesClassName ?? '';
  return name === '' ? [] : [name];
};

/** An attribute class is in use while a claim or a volume names it. */
export const attributesClassProtectionController = protectionController({
  name: 'volumeattributesclass-protection-controller',
  resource: resources.volumeAttributesClasses,
  finalizer: 'kubernetes.io/vac-protection',
  watchUses({ informers }, ended) {
    const claims = informers.for(resources.persistentVolumeClaims);
    const volumes = informers.for(resources.persistentVolumes);
    claims.addIndex('attributes-classes', classesOfClaim);
    volumes.addIndex('attributes-classes', classesOfVolume);
    const stops = [
      claims.addHandler({
        onUpdate: (_, old) => classesOfClaim(old).forEach(ended),
        onDelete: (claim) => classesOfClaim(claim).forEach(ended),
      }),
      volumes.addHandler({
        onUpdate: (_, old) => classesOfVolume(old).forEach(ended),
        onDelete: (volume) => classesOfVolume(volume).forEach(ended),
      }),
    ];
    return {
      informers: [claims, volumes],
      isUsed: ({ metadata: { name } }) =>
        [claims, volumes].some((informer) => informer.byIndex('attributes-classes', name).length > 0),
      stop: () => stops.forEach((stop) => stop()),
    };
  },
});
