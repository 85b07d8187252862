import type { coreV1, storageV1 } from '#api';
import { type Informer, objectKey, resources } from '#client';
import { isNotFound } from '#machinery';
import { type ControllerContext, defineController } from '../frame/controller.ts';
import { isFinished } from '../frame/pods.ts';
import { BIND_COMPLETED, BindingWriter, hasAnnotation } from './binding-writer.ts';
import {
  asksForClass,
  bestVolume,
  type Claim,
  claimClass,
  defaultClass,
  isBoundTo,
  mismatch,
  type Volume,
  volumeModesDiffer,
} from './volume-match.ts';

const IN_TREE = 'kubernetes.io/';
const PROVISIONED_BY = 'pv.kubernetes.io/provisioned-by';
const MIGRATED_TO = 'pv.kubernetes.io/migrated-to';
const SELECTED_NODE = 'volume.kubernetes.io/selected-node';
const PROVISIONER = 'volume.kubernetes.io/storage-provisioner';
const BETA_PROVISIONER = 'volume.beta.kubernetes.io/storage-provisioner';

/** Brings claims and volumes together, and lets volumes go when their claim is gone. */
export const persistentVolumeController = defineController({
  name: 'persistentvolume-controller',
  identity: 'persistent-volume-binder',
  // One at a time: two claims must not be promised the same volume.
  workers: 1,
  setup(context) {
    const loop = new VolumeLoop(context);
    return {
      informers: [loop.claims, loop.volumes, loop.classes, loop.pods],
      reconcile: (key) => loop.reconcile(key),
      stop: () => loop.stop(),
    };
  },
});

class VolumeLoop {
  readonly claims: Informer<Claim>;
  readonly volumes: Informer<Volume>;
  readonly classes: Informer<storageV1.StorageClass>;
  readonly pods: Informer<coreV1.Pod>;
  readonly #context: ControllerContext;
  readonly #writer: BindingWriter;
  readonly #removeHandlers: readonly (() => void)[];

  constructor(context: ControllerContext) {
    this.#context = context;
    const { informers, queue, client, events } = context;
    this.claims = informers.for(resources.persistentVolumeClaims);
    this.volumes = informers.for(resources.persistentVolumes);
    this.classes = informers.for(resources.storageClasses);
    this.pods = informers.for(resources.pods);
    this.#writer = new BindingWriter(client, events);
    const onClaim = (claim: Claim): void => {
      queue.add(objectKey(claim));
      const { volumeName = '' } = claim.spec;
      if (volumeName !== '') queue.add(volumeName);
    };
    const onVolume = (volume: Volume): void => {
      queue.add(volume.metadata.name);
      this.#enqueueWaiting(volume);
    };
    const onClass = (): void => this.#enqueueWaiting();
    this.#removeHandlers = [
      this.claims.addHandler({ onAdd: onClaim, onUpdate: onClaim, onDelete: onClaim }),
      this.volumes.addHandler({ onAdd: onVolume, onUpdate: onVolume, onDelete: onVolume }),
      this.classes.addHandler({ onAdd: onClass, onUpdate: onClass }),
    ];
  }

  stop(): void {
    for (const remove of this.#removeHandlers) remove();
  }

  /** Keys of claims have a slash, those of volumes cannot. */
  async reconcile(key: string): Promise<undefined> {
    if (key.includes('/')) {
      const claim = this.claims.get(key);
      if (claim === undefined) return;
      if (hasAnnotation(claim, BIND_COMPLETED)) await this.#syncBoundClaim(claim);
      else if ((claim.spec.volumeName ?? '') === '') await this.#findVolume(claim);
      else await this.#takeNamedVolume(claim, claim.spec.volumeName ?? '');
      return;
    }
    const volume = this.volumes.get(key);
    if (volume !== undefined) await this.#syncVolume(volume);
  }

  /** Claims that wait for something like this volume. */
  #enqueueWaiting(volume?: Volume): void {
    const { claimRef } = volume?.spec ?? {};
    if (claimRef !== undefined) {
      this.#context.queue.add(`${claimRef.namespace}/${claimRef.name}`);
      return;
    }
    for (const claim of this.claims.list()) {
      const { volumeName = '' } = claim.spec;
      const isNamed = volume !== undefined && volumeName === volume.metadata.name;
      const isFree = volumeName === '' && !hasAnnotation(claim, BIND_COMPLETED);
      if (isNamed || isFree) this.#context.queue.add(objectKey(claim));
    }
  }

  async #findVolume(claim: Claim): Promise<void> {
    const waits = this.#waitsForConsumer(claim);
    const volume = bestVolume(claim, this.volumes.list(), waits);
    if (volume !== undefined) {
      await this.#writer.bind(volume, claim);
      return;
    }
    if (await this.#assignDefaultClass(claim)) return;
    if (waits && !hasAnnotation(claim, SELECTED_NODE)) this.#tellWaiting(claim);
    else if (claimClass(claim) !== '') {
      await this.#provision(claim);
      return;
    } else {
      const message = 'no persistent volumes available for this claim and no storage class is set';
      this.#context.events.event(claim, 'Normal', 'FailedBinding', message);
    }
    await this.#writer.setClaimUnbound(claim, 'Pending');
  }

  #waitsForConsumer(claim: Claim): boolean {
    return this.classes.get(claimClass(claim))?.volumeBindingMode === 'WaitForFirstConsumer';
  }

  async #assignDefaultClass(claim: Claim): Promise<boolean> {
    const found = asksForClass(claim) ? undefined : defaultClass(this.classes.list());
    if (found === undefined) return false;
    const spec = { ...claim.spec, storageClassName: found.metadata.name };
    await this.#context.client.resource(resources.persistentVolumeClaims).update({ ...claim, spec });
    return true;
  }

  #tellWaiting(claim: Claim): void {
    const names = this.pods
      .list(claim.metadata.namespace)
      .filter((pod) => (pod.spec.nodeName ?? '') === '' && !isFinished(pod) && uses(pod, claim))
      .map(({ metadata }) => metadata.name);
    const { events } = this.#context;
    if (names.length === 0) {
      const message = 'waiting for first consumer to be created before binding';
      events.event(claim, 'Normal', 'WaitForFirstConsumer', message);
      return;
    }
    const pods = names.length > 1 ? 'pods' : 'pod';
    const message = `waiting for ${pods} ${names.join(',')} to be scheduled`;
    events.event(claim, 'Normal', 'WaitForPodScheduled', message);
  }

  /** Volumes are made by provisioners outside, which look for the annotation. */
  async #provision(claim: Claim): Promise<void> {
    const { events, client } = this.#context;
    const name = claimClass(claim);
    const found = this.classes.get(name);
    if (found === undefined) {
      const message = `storageclass.storage.k8s.io ${JSON.stringify(name)} not found`;
      events.event(claim, 'Warning', 'ProvisioningFailed', message);
      return;
    }
    const { provisioner } = found;
    if (provisioner.startsWith(IN_TREE)) {
      const message = `no volume plugin matched name: ${provisioner}`;
      events.event(claim, 'Warning', 'ProvisioningFailed', message);
      return;
    }
    if (claim.metadata.annotations?.[PROVISIONER] !== provisioner) {
      const annotations = {
        ...claim.metadata.annotations,
        [BETA_PROVISIONER]: provisioner,
        [PROVISIONER]: provisioner,
      };
      await client
        .resource(resources.persistentVolumeClaims)
        .update({ ...claim, metadata: { ...claim.metadata, annotations } });
    }
    const message =
      `Waiting for a volume to be created either by the external provisioner '${provisioner}' or manually by the ` +
      'system administrator. If volume creation is delayed, please verify that the provisioner is running and ' +
      'correctly registered.';
    events.event(claim, 'Normal', 'ExternalProvisioning', message);
  }

  async #takeNamedVolume(claim: Claim, volumeName: string): Promise<void> {
    const { events } = this.#context;
    const volume = this.volumes.get(volumeName);
    if (volume === undefined) {
      await this.#writer.setClaimUnbound(claim, 'Pending');
      return;
    }
    if (volume.spec.claimRef !== undefined && !isBoundTo(volume, claim)) {
      const message = `volume ${JSON.stringify(volumeName)} already bound to a different claim.`;
      events.event(claim, 'Warning', 'FailedBinding', message);
      await this.#writer.setClaimUnbound(claim, 'Pending');
      return;
    }
    const reason = volume.spec.claimRef === undefined ? mismatch(volume, claim) : undefined;
    if (reason === undefined) {
      await this.#writer.bind(volume, claim);
      return;
    }
    const message = `Cannot bind to requested volume ${JSON.stringify(volumeName)}: ${reason}`;
    events.event(claim, 'Warning', 'VolumeMismatch', message);
    await this.#writer.setClaimUnbound(claim, 'Pending');
  }

  async #syncBoundClaim(claim: Claim): Promise<void> {
    const { volumeName = '' } = claim.spec;
    const volume = this.volumes.get(volumeName);
    const lost = (what: string): Promise<void> =>
      this.#writer.setClaimUnbound(claim, 'Lost', {
        reason: 'ClaimLost',
        message: `Bound claim has lost ${what}. Data on the volume is lost!`,
      });
    if (volumeName === '') await lost('reference to PersistentVolume');
    else if (volume === undefined) await lost('its PersistentVolume');
    else if (volume.spec.claimRef === undefined || volume.spec.claimRef.uid === claim.metadata.uid)
      await this.#writer.bind(volume, claim);
    else
      await this.#writer.setClaimUnbound(claim, 'Lost', {
        reason: 'ClaimMisbound',
        message: 'Two claims are bound to the same volume, this one is bound incorrectly',
      });
  }

  async #syncVolume(volume: Volume): Promise<void> {
    const { claimRef } = volume.spec;
    if (claimRef === undefined || (claimRef.uid ?? '') === '') {
      await this.#writer.setVolumePhase(volume, 'Available');
      return;
    }
    const claim = await this.#claimOf(volume);
    if (claim === undefined) {
      await this.#release(volume);
    } else if ((claim.spec.volumeName ?? '') === '') {
      if (volumeModesDiffer(claim, volume)) this.#tellModes(volume, claim);
      // The binding is not complete; the claim's turn finishes it.
      else this.#context.queue.add(objectKey(claim));
    } else if (claim.spec.volumeName === volume.metadata.name) {
      await this.#writer.setVolumePhase(volume, 'Bound');
    } else if (
      hasAnnotation(volume, PROVISIONED_BY) &&
      volume.spec.persistentVolumeReclaimPolicy === 'Delete'
    ) {
      // Made for the claim, which found another in the meantime.
      await this.#release(volume);
    } else {
      await this.#writer.unbind(volume);
    }
  }

  #tellModes(volume: Volume, claim: Claim): void {
    const { events } = this.#context;
    const because = 'due to incompatible volumeMode.';
    const claimName = JSON.stringify(claim.metadata.name);
    const volumeName = JSON.stringify(volume.metadata.name);
    const aboutVolume = `Cannot bind PersistentVolume to requested PersistentVolumeClaim ${claimName} ${because}`;
    const aboutClaim = `Cannot bind PersistentVolume ${volumeName} to requested PersistentVolumeClaim ${because}`;
    events.event(volume, 'Warning', 'VolumeMismatch', aboutVolume);
    events.event(claim, 'Warning', 'VolumeMismatch', aboutClaim);
  }

  /** The claim the volume is bound to; asked of the server before it counts as gone. */
  async #claimOf({ spec: { claimRef }, status }: Volume): Promise<Claim | undefined> {
    const { namespace = '', name = '', uid } = claimRef ?? {};
    const cached = this.claims.get(`${namespace}/${name}`);
    if (cached?.metadata.uid === uid) return cached;
    if (status.phase === 'Released' || status.phase === 'Failed') return undefined;
    try {
      const claim = await this.#context.client
        .resource(resources.persistentVolumeClaims, namespace)
        .get(name);
      return claim.metadata.uid === uid ? claim : undefined;
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  /** Its claim is gone: the reclaim policy says what becomes of it. */
  async #release(volume: Volume): Promise<void> {
    const isKnown = volume.status.phase === 'Released' || volume.status.phase === 'Failed';
    const released = isKnown ? volume : await this.#writer.setVolumePhase(volume, 'Released');
    if (hasAnnotation(volume, MIGRATED_TO)) return;
    const policy = volume.spec.persistentVolumeReclaimPolicy;
    if (policy === 'Recycle') {
      const message = 'No recycler plugin found for the volume!';
      await this.#writer.setVolumePhase(released, 'Failed', { reason: 'VolumeFailedRecycle', message });
    } else if (policy === 'Delete' && !isDeletedOutside(volume)) {
      const name = JSON.stringify(volume.metadata.name);
      const message = `error getting deleter volume plugin for volume ${name}: no deletable volume plugin matched`;
      await this.#writer.setVolumePhase(released, 'Failed', { reason: 'VolumeFailedDelete', message });
    }
  }
}

/** Who made the volume also deletes it. */
function isDeletedOutside({ metadata, spec }: Volume): boolean {
  const provisioner = metadata.annotations?.[PROVISIONED_BY] ?? '';
  return (provisioner !== '' && !provisioner.startsWith(IN_TREE)) || spec.csi !== undefined;
}

function uses(pod: coreV1.Pod, claim: Claim): boolean {
  return (
    pod.spec.volumes?.some(
      ({ persistentVolumeClaim }) => persistentVolumeClaim?.claimName === claim.metadata.name,
    ) === true
  );
}
