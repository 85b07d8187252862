/** Creates, repairs and deletes single pods of a StatefulSet with their claims, and says so in its events. */
import type { appsV1, coreV1, Draft } from '#api';
import { type Client, type EventRecorder, type Informer, resources } from '#client';
import { isAlreadyExists, isNotFound } from '#machinery';
import { messageOf } from '../frame/pod-control.ts';
import { claimOwners, type ClaimPod, isStaleClaim } from './claim-retention.ts';
import {
  claimName,
  claimsOf,
  hasIdentity,
  hasStorage,
  isInRange,
  ordinalOf,
  parsePodName,
  withIdentity,
} from './identity.ts';

type StatefulSet = appsV1.StatefulSet;
type Pod = coreV1.Pod;
type Claim = coreV1.PersistentVolumeClaim;

export interface StatefulPodsOptions {
  readonly client: Client;
  readonly events: EventRecorder;
  readonly claims: Informer<Claim>;
}

export class StatefulPods {
  readonly #options: StatefulPodsOptions;

  constructor(options: StatefulPodsOptions) {
    this.#options = options;
  }

  /** Its claims are left over from a pod that was scaled down, and are just being deleted. */
  mustWaitForClaims(set: StatefulSet, ordinal: number, podName: string): boolean {
    return this.#claimsOf(set, ordinal).some((claim) => isStaleClaim(set, claim, podName));
  }

  async create(set: StatefulSet, pod: Draft<Pod>): Promise<void> {
    const { name = '' } = pod.metadata;
    const ordinal = parsePodName(name)?.ordinal ?? 0;
    try {
      await this.createClaims(set, ordinal, name);
      await this.#options.client.resource(resources.pods).create(pod);
      await this.keepClaims(set, { name, isInRange: isInRange(set, ordinal) }, ordinal);
    } catch (error) {
      // The cache has not seen it yet, or somebody else's pod is in the way: there is nothing to tell.
      if (!isAlreadyExists(error)) this.#tell(set, 'Create', name, error);
      throw error;
    }
    this.#tell(set, 'Create', name);
  }

  async delete(set: StatefulSet, pod: Pod): Promise<void> {
    const { name, namespace = '', uid } = pod.metadata;
    try {
      await this.#options.client.resource(resources.pods, namespace).delete(name, { preconditions: { uid } });
    } catch (error) {
      if (!isNotFound(error)) {
        this.#tell(set, 'Delete', name, error);
        throw error;
      }
    }
    this.#tell(set, 'Delete', name);
  }

  /** Gives the pod back what makes it a member of its set. */
  async repair(set: StatefulSet, pod: Pod): Promise<void> {
    const ordinal = ordinalOf(pod);
    const { name } = pod.metadata;
    try {
      if (!hasStorage(set, pod)) await this.createClaims(set, ordinal, name);
      await this.keepClaims(set, claimPodOf(set, pod), ordinal);
      if (hasIdentity(set, pod) && hasStorage(set, pod)) return;
      await this.#options.client.resource(resources.pods).update(withIdentity(set, pod));
    } catch (error) {
      this.#tell(set, 'Update', name, error);
      throw error;
    }
    this.#tell(set, 'Update', name);
  }

  async createClaims(set: StatefulSet, ordinal: number, podName: string): Promise<void> {
    const failures: string[] = [];
    for (const claim of claimsOf(set, ordinal)) {
      const { name = '' } = claim.metadata;
      const known = this.#options.claims.get(`${set.metadata.namespace ?? ''}/${name}`);
      if (known?.metadata.deletionTimestamp !== undefined) failures.push(`pvc ${name} is being deleted`);
      if (known !== undefined) continue;
      const where = `Pod ${podName} in StatefulSet ${set.metadata.name}`;
      try {
        await this.#options.client.resource(resources.persistentVolumeClaims).create(claim);
        const message = `Create Claim ${name} ${where} success`;
        this.#options.events.event(set, 'Normal', 'SuccessfulCreate', message);
      } catch (error) {
        if (isAlreadyExists(error)) continue;
        const message = `Create Claim ${name} for ${where} failed error: ${messageOf(error)}`;
        this.#options.events.event(set, 'Warning', 'FailedCreate', message);
        failures.push(`failed to create PVC ${name}: ${messageOf(error)}`);
      }
    }
    if (failures.length > 0) throw new Error(failures.join(', '));
  }

  /** Lets the claims of a pod be owned as the retention policy says. */
  async keepClaims(set: StatefulSet, pod: ClaimPod, ordinal: number): Promise<void> {
    for (const claim of this.#claimsOf(set, ordinal)) {
      const { owners, conflict } = claimOwners(set, claim, pod);
      if (owners === undefined) continue;
      const { name } = claim.metadata;
      if (conflict) {
        const message =
          `PersistentVolumeClaim ${name} has a conflicting OwnerReference that acts as a manging controller, ` +
          'the retention policy is ignored for this claim';
        this.#options.events.event(set, 'Warning', 'ConflictingController', message);
      }
      await this.#options.client
        .resource(resources.persistentVolumeClaims)
        .update({ ...claim, metadata: { ...claim.metadata, ownerReferences: owners } });
    }
  }

  /** Those that are there. */
  #claimsOf(set: StatefulSet, ordinal: number): readonly Claim[] {
    const namespace = set.metadata.namespace ?? '';
    return (set.spec.volumeClaimTemplates ?? [])
      .map((template) => this.#options.claims.get(`${namespace}/${claimName(set, template, ordinal)}`))
      .filter((claim) => claim !== undefined);
  }

  #tell(set: StatefulSet, verb: 'Create' | 'Delete' | 'Update', podName: string, error?: unknown): void {
    const what = `${verb} Pod ${podName} in StatefulSet ${set.metadata.name}`;
    if (error === undefined)
      this.#options.events.event(set, 'Normal', `Successful${verb}`, `${what} successful`);
    else
      this.#options.events.event(
        set,
        'Warning',
        `Failed${verb}`,
        `${what} failed error: ${messageOf(error)}`,
      );
  }
}

export function claimPodOf(set: StatefulSet, pod: Pod): ClaimPod {
  const { name, uid } = pod.metadata;
  return { name, uid, isInRange: isInRange(set, ordinalOf(pod)) };
}
