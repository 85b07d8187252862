/** For tests of code that talks to a cluster: the clock held by the test, dice that fall the same way every time. */
export { seededRandom } from './seeded-random.ts';
export { VirtualClock } from './virtual-clock.ts';
export type { VirtualClockOptions } from './virtual-clock.ts';
export { API_SERVER_ALONE, startCluster } from './start-cluster.ts';
export type { StartClusterOptions, TestCluster } from './start-cluster.ts';
export { unavailable } from './request-faults.ts';
export type { RequestFault } from './request-faults.ts';
