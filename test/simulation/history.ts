/** What happened in a cluster, in the order in which a watcher saw it: the same seed must give the same history. */
import type { appsV1, coreV1 } from '#api';
import { type Client, type ResourceRef, resources } from '#client';
import type { VirtualClock } from '#testing';

interface Named {
  readonly metadata: { readonly name: string; readonly uid: string; readonly deletionTimestamp?: string };
}

/** Sees every state of an object, not only those it has when somebody looks. */
export interface HistoryObserver {
  onPod(pod: coreV1.Pod): void;
  onReplicaSet(replicaSet: appsV1.ReplicaSet): void;
  onDeployment(deployment: appsV1.Deployment): void;
}

export class History {
  readonly lines: string[] = [];
  readonly #clock: VirtualClock;
  readonly #stopped = new AbortController();
  readonly #watches: Promise<void>[] = [];

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  async start(client: Client, observer: HistoryObserver): Promise<void> {
    await this.#watch(client, resources.pods, (pod) => {
      observer.onPod(pod);
      const ready = pod.status.conditions?.find(({ type }) => type === 'Ready')?.status ?? '';
      return [pod.spec.nodeName ?? '', pod.status.phase ?? '', ready];
    });
    await this.#watch(client, resources.replicaSets, (replicaSet) => {
      observer.onReplicaSet(replicaSet);
      return [String(replicaSet.spec.replicas ?? 1), String(replicaSet.status.readyReplicas ?? 0)];
    });
    await this.#watch(client, resources.deployments, (deployment) => {
      observer.onDeployment(deployment);
      return [String(deployment.spec.replicas ?? 1), String(deployment.status.availableReplicas ?? 0)];
    });
    await this.#watch(client, resources.endpointSlices, ({ endpoints }) => [
      (endpoints ?? []).flatMap(({ addresses }) => addresses).join('+'),
    ]);
    await this.#watch(client, resources.nodes, ({ spec }) => (spec.taints ?? []).map(({ key }) => key));
  }

  note(text: string): void {
    this.lines.push(`${Math.round(this.#clock.monotonic())} ${text}`);
  }

  async stop(): Promise<void> {
    this.#stopped.abort(new Error('history ended'));
    await Promise.all(this.#watches);
  }

  async #watch<T extends Named>(
    client: Client,
    ref: ResourceRef<T>,
    describe: (object: T) => readonly string[],
  ): Promise<void> {
    const { signal } = this.#stopped;
    const events = await client.resource(ref).watch({ signal });
    const consume = async (): Promise<void> => {
      try {
        for await (const event of events) {
          if (event.type === 'BOOKMARK' || event.type === 'ERROR') continue;
          const going = event.object.metadata.deletionTimestamp === undefined ? '' : ' going';
          const state = describe(event.object).join(' ');
          this.note(`${event.type} ${ref.resource}/${event.object.metadata.name} ${state}${going}`);
        }
      } catch (error) {
        if (!signal.aborted) throw error;
      }
    };
    this.#watches.push(consume());
  }
}
