/**
 * Watches over nodes: turns silence into unknown conditions, conditions into taints, and taints into evictions.
 */
import { defineController } from '../frame/controller.ts';

export const nodeLifecycleController = defineController({
  name: 'node-controller',
  workers: 1,
  setup: () => ({ informers: [], reconcile: async () => undefined }),
});
