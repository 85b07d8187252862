import type { appsV1, coreV1 } from '#api';
import { type Informer, objectKey, resources } from '#client';
import { compileLabelSelector } from '#machinery';
import { type ControllerContext, defineController, type ReconcileResult } from '../frame/controller.ts';
import { controlledBy, indexByController, orphansIn } from '../frame/indexes.ts';
import { watchOwned } from '../frame/owned-objects.ts';
import { claim, controllerOfObject } from '../frame/ownership.ts';
import { isFinished } from '../frame/pods.ts';
import type { ReplicaSet } from './replica-sets.ts';
import { Rollout } from './rollout.ts';

const WORKERS = 5;

/** Keeps the ReplicaSets of a Deployment, one per template, and moves pods from the old ones to the new. */
export const deploymentController = defineController({
  name: 'deployment-controller',
  workers: WORKERS,
  setup(context) {
    const loop = new DeploymentLoop(context);
    return {
      informers: [loop.deployments, loop.replicaSets, loop.pods],
      reconcile: (key) => loop.reconcile(key),
      stop: () => loop.stop(),
    };
  },
});

class DeploymentLoop {
  readonly deployments: Informer<appsV1.Deployment>;
  readonly replicaSets: Informer<appsV1.ReplicaSet>;
  readonly pods: Informer<coreV1.Pod>;
  readonly #context: ControllerContext;
  readonly #removeHandlers: readonly (() => void)[];

  constructor(context: ControllerContext) {
    this.#context = context;
    const { informers, queue } = context;
    this.deployments = informers.for(resources.deployments);
    this.replicaSets = informers.for(resources.replicaSets);
    this.pods = informers.for(resources.pods);
    indexByController(this.replicaSets);
    indexByController(this.pods);
    const enqueue = (deployment: appsV1.Deployment): void => queue.add(objectKey(deployment));
    this.#removeHandlers = [
      this.deployments.addHandler({ onAdd: enqueue, onUpdate: enqueue, onDelete: enqueue }),
      watchOwned({
        owned: this.replicaSets,
        ownerKind: 'Deployment',
        owners: this.deployments,
        enqueue: (key) => queue.add(key),
        adopters: (set) => this.#adopters(set),
      }),
      this.pods.addHandler({ onDelete: (pod) => this.#onPodGone(pod) }),
    ];
  }

  stop(): void {
    for (const remove of this.#removeHandlers) remove();
  }

  async reconcile(key: string): Promise<ReconcileResult | undefined> {
    const deployment = this.deployments.get(key);
    if (deployment === undefined) return undefined;
    if (selectsEverything(deployment)) {
      const message = 'This deployment is selecting all pods. A non-empty selector is required.';
      this.#context.events.event(deployment, 'Warning', 'SelectingAll', message);
      return undefined;
    }
    const { client } = this.#context;
    const namespace = deployment.metadata.namespace ?? '';
    const candidates = [
      ...controlledBy(this.replicaSets, deployment.metadata.uid),
      ...orphansIn(this.replicaSets, namespace),
    ];
    const replicaSets = await claim(candidates, {
      owner: deployment,
      matches: compileLabelSelector(deployment.spec.selector),
      readOwner: () => client.resource(resources.deployments, namespace).get(deployment.metadata.name),
      patch: (set, patch) =>
        client
          .resource(resources.replicaSets, namespace)
          .patch(set.metadata.name, 'application/strategic-merge-patch+json', patch),
    });
    return new Rollout({
      context: this.#context,
      deployment,
      replicaSets,
      oldPodsRun: (newSet) => this.#oldPodsRun(replicaSets, newSet),
    }).run();
  }

  #oldPodsRun(replicaSets: readonly ReplicaSet[], newSet: ReplicaSet | undefined): boolean {
    return replicaSets
      .filter((set) => set.metadata.uid !== newSet?.metadata.uid)
      .some((set) => controlledBy(this.pods, set.metadata.uid).some((pod) => !isFinished(pod)));
  }

  #adopters(set: appsV1.ReplicaSet): readonly string[] {
    return this.deployments
      .list(set.metadata.namespace)
      .filter((deployment) => !selectsEverything(deployment))
      .filter(({ spec }) => compileLabelSelector(spec.selector)(set.metadata.labels))
      .map(objectKey);
  }

  /** A Recreate rollout goes on when the last old pod is gone. */
  #onPodGone(pod: coreV1.Pod): void {
    const namespace = pod.metadata.namespace ?? '';
    const setName = controllerOfObject(pod)?.name;
    const set = setName === undefined ? undefined : this.replicaSets.get(`${namespace}/${setName}`);
    const name = set === undefined ? undefined : controllerOfObject(set)?.name;
    const deployment = name === undefined ? undefined : this.deployments.get(`${namespace}/${name}`);
    if (deployment?.spec.strategy?.type === 'Recreate') this.#context.queue.add(objectKey(deployment));
  }
}

function selectsEverything({ spec }: appsV1.Deployment): boolean {
  const { matchLabels = {}, matchExpressions = [] } = spec.selector ?? {};
  return Object.keys(matchLabels).length === 0 && matchExpressions.length === 0;
}
