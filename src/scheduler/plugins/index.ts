import type { Client } from '#client';
import type { Clock, Random } from '#platform';
import type { InformedView } from '../cluster-view.ts';
import type { SchedulerPlugin } from '../framework.ts';
import { defaultPreemption } from './default-preemption.ts';
import { imageLocality } from './image-locality.ts';
import { interPodAffinity } from './inter-pod-affinity.ts';
import { nodeAffinity } from './node-affinity.ts';
import { nodeName } from './node-name.ts';
import { nodePorts } from './node-ports.ts';
import { nodeResourcesBalancedAllocation, nodeResourcesFit } from './node-resources-fit.ts';
import { nodeUnschedulable } from './node-unschedulable.ts';
import { podTopologySpread } from './pod-topology-spread.ts';
import { schedulingGates } from './scheduling-gates.ts';
import { taintToleration } from './taint-toleration.ts';
import { volumeBinding } from './volume-binding.ts';

export interface PluginServices {
  readonly view: InformedView;
  readonly client: Client;
  readonly clock: Clock;
  readonly random: Random;
}

/** In upstream's order: filters stop at the first rejection, cheapest and most telling first. */
export function defaultPlugins({ view, client, clock, random }: PluginServices): readonly SchedulerPlugin[] {
  return [
    schedulingGates,
    nodeUnschedulable,
    nodeName,
    taintToleration,
    nodeAffinity,
    nodePorts,
    nodeResourcesFit,
    volumeBinding({ view, client, claims: view.claims }),
    podTopologySpread(view),
    interPodAffinity(view),
    defaultPreemption({ view, clock, random }),
    nodeResourcesBalancedAllocation,
    imageLocality,
  ];
}
