export { nodeLifecycleController, type NodeLifecycleOptions } from './node-lifecycle-controller.ts';
