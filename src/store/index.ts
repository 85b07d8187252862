/** etcd's model behind one interface: in memory, embedded on disk, or a real etcd. */
export * from './store.ts';
export { openEmbeddedStore } from './embedded/embedded-store.ts';
export type { EmbeddedStoreOptions } from './embedded/embedded-store.ts';
export { connectEtcdStore } from './etcd/connect.ts';
export type { EtcdStoreOptions } from './etcd/etcd-store.ts';
export type { EtcdTls } from './etcd/endpoints.ts';
export { createMemoryStore } from './memory/memory-store.ts';
export type { MemoryStoreOptions } from './memory/memory-store.ts';
export type { HistoryLimits } from './mvcc/compaction-schedule.ts';
