import { resources } from '#client';
import { compileLabelSelector } from '#machinery';
import { replicaController } from './replica-controller.ts';

export const replicaSetController = replicaController({
  controllerName: 'replicaset-controller',
  ref: resources.replicaSets,
  matcher: ({ spec }) => compileLabelSelector(spec.selector),
  reportsTerminating: true,
});

export const replicationController = replicaController({
  controllerName: 'replication-controller',
  ref: resources.replicationControllers,
  matcher: ({ spec }) => compileLabelSelector({ matchLabels: spec.selector ?? {} }),
  reportsTerminating: false,
});
