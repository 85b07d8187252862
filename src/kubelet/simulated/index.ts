/** A node without a machine: runtime, files, programs and probes that live in memory. */
export { createMemoryFiles } from './memory-files.ts';
export type { ContainerScript, ImageScript, SimulatedBehaviour } from './script.ts';
export { SCRIPT_ANNOTATION } from './script.ts';
export { simulatedProbes } from './simulated-probes.ts';
export { simulatedProcesses } from './simulated-processes.ts';
export { createSimulatedRuntime } from './simulated-runtime.ts';
export type { SimulatedRuntime, SimulatedRuntimeOptions } from './simulated-runtime.ts';
