/** The only way to see the cluster: client, informers, work queue, leader election, events. */
export type * from './client.ts';
export { objectKey, splitKey } from './informer.ts';
export type * from './informer.ts';
