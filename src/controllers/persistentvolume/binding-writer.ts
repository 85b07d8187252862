/**
 * Writes bindings: first the volume, then the claim, each followed by its status. Whoever is interrupted in between
 * finds out from what is written already where to go on.
 */
import { type Client, type EventRecorder, resources } from '#client';
import { deepEqual } from '#machinery';
import { type Claim, isBoundTo, type Volume } from './volume-match.ts';

export const BOUND_BY_CONTROLLER = 'pv.kubernetes.io/bound-by-controller';
export const BIND_COMPLETED = 'pv.kubernetes.io/bind-completed';

type Annotated = Pick<Volume, 'metadata'> | Pick<Claim, 'metadata'>;
export const hasAnnotation = ({ metadata }: Annotated, name: string): boolean =>
  metadata.annotations?.[name] !== undefined;

export class BindingWriter {
  readonly #client: Client;
  readonly #events: EventRecorder;

  constructor(client: Client, events: EventRecorder) {
    this.#client = client;
    this.#events = events;
  }

  async bind(volume: Volume, claim: Claim): Promise<void> {
    const bound = await this.#bindVolume(volume, claim);
    await this.setVolumePhase(bound, 'Bound');
    await this.setClaimBound(await this.#bindClaim(claim, bound), bound);
  }

  /** The volume is there for others again, or for the claim that it is reserved for. */
  async unbind(volume: Volume): Promise<void> {
    const { claimRef, ...spec } = volume.spec;
    const { [BOUND_BY_CONTROLLER]: byController, ...annotations } = volume.metadata.annotations ?? {};
    const { uid: _, resourceVersion: _version, ...reserved } = claimRef ?? {};
    const next = await this.#client.resource(resources.persistentVolumes).update({
      ...volume,
      metadata: { ...volume.metadata, annotations },
      spec: byController === undefined ? { ...spec, claimRef: reserved } : spec,
    });
    await this.setVolumePhase(next, 'Available');
  }

  async setVolumePhase(
    volume: Volume,
    phase: NonNullable<Volume['status']['phase']>,
    event?: { readonly reason: string; readonly message: string },
  ): Promise<Volume> {
    if (volume.status.phase === phase) return volume;
    const { message: _, ...status } = volume.status;
    const next = await this.#client.resource(resources.persistentVolumes).updateStatus({
      ...volume,
      status: { ...status, phase, ...(event === undefined ? {} : { message: event.message }) },
    });
    if (event !== undefined) this.#events.event(next, 'Warning', event.reason, event.message);
    return next;
  }

  /** Waits for a volume, or has lost the one it had. */
  async setClaimUnbound(
    claim: Claim,
    phase: 'Pending' | 'Lost',
    event?: { readonly reason: string; readonly message: string },
  ): Promise<void> {
    if (event !== undefined && claim.status.phase === phase) return;
    const {
      accessModes: _,
      capacity: _capacity,
      currentVolumeAttributesClassName: _class,
      ...rest
    } = claim.status;
    const status = { ...rest, phase };
    if (!deepEqual(status, claim.status)) await this.#writeClaimStatus({ ...claim, status });
    if (event !== undefined) this.#events.event(claim, 'Warning', event.reason, event.message);
  }

  async setClaimBound(claim: Claim, { spec }: Volume): Promise<void> {
    const becomes = claim.status.phase !== 'Bound';
    const attributes = spec.volumeAttributesClassName;
    const status = {
      ...claim.status,
      phase: 'Bound' as const,
      ...(spec.accessModes === undefined ? {} : { accessModes: spec.accessModes }),
      // A claim that is bound already may differ on purpose: its file system can be smaller than the device.
      ...(becomes && spec.capacity !== undefined ? { capacity: spec.capacity } : {}),
      ...(becomes && attributes !== undefined ? { currentVolumeAttributesClassName: attributes } : {}),
    };
    if (!deepEqual(status, claim.status)) await this.#writeClaimStatus({ ...claim, status });
  }

  async #bindVolume(volume: Volume, claim: Claim): Promise<Volume> {
    const { name, namespace, uid, resourceVersion } = claim.metadata;
    const reserved = isBoundTo(volume, claim);
    if (reserved && volume.spec.claimRef?.uid === uid) return volume;
    const claimRef = {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      namespace,
      name,
      uid,
      resourceVersion,
    };
    return this.#client.resource(resources.persistentVolumes).update({
      ...volume,
      metadata: reserved ? volume.metadata : withAnnotation(volume.metadata, BOUND_BY_CONTROLLER),
      spec: { ...volume.spec, claimRef },
    });
  }

  async #bindClaim(claim: Claim, volume: Volume): Promise<Claim> {
    const { name } = volume.metadata;
    const isNamed = claim.spec.volumeName === name;
    if (isNamed && hasAnnotation(claim, BIND_COMPLETED)) return claim;
    const byController = isNamed ? claim.metadata : withAnnotation(claim.metadata, BOUND_BY_CONTROLLER);
    return this.#client.resource(resources.persistentVolumeClaims).update({
      ...claim,
      metadata: withAnnotation(byController, BIND_COMPLETED),
      spec: { ...claim.spec, volumeName: name },
    });
  }

  async #writeClaimStatus(claim: Claim): Promise<void> {
    await this.#client.resource(resources.persistentVolumeClaims).updateStatus(claim);
  }
}

const withAnnotation = (metadata: Claim['metadata'], name: string): Claim['metadata'] =>
  metadata.annotations?.[name] === undefined
    ? { ...metadata, annotations: { ...metadata.annotations, [name]: 'yes' } }
    : metadata;
