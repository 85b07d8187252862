import type { Store } from '../store.ts';
import type { EtcdStoreOptions } from './etcd-store.ts';

/**
 * Connects to an etcd cluster, 3.4 or later. Resolves when it has answered, so that `revision` is known.
 * Several processes may share the cluster: this is what makes several API servers one.
 * @throws StoreUnavailableError when no endpoint answers.
 */
export async function connectEtcdStore(options: EtcdStoreOptions): Promise<Store> {
  // Loaded only here: gRPC costs every start of a process that has its store on disk 50 ms and 20 MB.
  const { EtcdStore } = await import('./etcd-store.ts');
  const store = new EtcdStore(options);
  try {
    await store.connect();
  } catch (error) {
    await store.close();
    throw error;
  }
  return store;
}
