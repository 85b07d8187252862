/** The container engine: images, sandboxes and containers of one node, behind the CRI's interfaces. */
export { createEngine } from './engine.ts';
export type { Engine, EngineOptions } from './engine.ts';
export { BASE_IMAGE } from './build/base-image.ts';
export { hostRuntimeImageName } from './build/host-runtime-image.ts';
export type { HostRuntime } from './build/host-runtime-image.ts';
export type { RegistryConfiguration, RegistryHostOptions } from './distribution/registry-configuration.ts';
export type { ImageRecord } from './images/image-database.ts';
