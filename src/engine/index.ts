/** The container engine: images, sandboxes and containers of one node, behind the CRI's interfaces. */
export { createEngine } from './engine.ts';
export type { Engine, EngineOptions, RegistryOptions } from './engine.ts';
export { BuildError } from './build/build-error.ts';
export type { BuildEvent } from './build/build-services.ts';
export type { BuildOptions } from './build/builder.ts';
export type { PushOptions } from './distribution/pusher.ts';
export type { RegistryServer } from './registry/registry-server.ts';
export { BASE_IMAGE } from './build/base-image.ts';
export { hostRuntimeImageName } from './build/host-runtime-image.ts';
export type { HostRuntime } from './build/host-runtime-image.ts';
export type { RegistryConfiguration, RegistryHostOptions } from './distribution/registry-configuration.ts';
export type { ImageRecord } from './images/image-database.ts';
