/** The real machine behind `platform`'s interfaces. Only composition roots and tests import this. */
export { nodeFiles } from './node-files.ts';
export { nodeProcesses } from './node-processes.ts';
export { nodeSockets } from './node-sockets.ts';
export { systemClock } from './system-clock.ts';
export { systemRandom } from './system-random.ts';
