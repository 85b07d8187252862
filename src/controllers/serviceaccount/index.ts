import { resources } from '#client';
import { isAlreadyExists, isNamespaceTerminating, isNotFound } from '#machinery';
import { defineController } from '../frame/controller.ts';

/** In every namespace: what pods run as when they do not say. */
const DEFAULT_NAMES = ['default'];

export const serviceAccountController = defineController({
  name: 'service-account-controller',
  workers: 1,
  setup({ client, informers, queue }) {
    const namespaces = informers.for(resources.namespaces);
    const accounts = informers.for(resources.serviceAccounts);
    const removeHandlers = [
      namespaces.addHandler({
        onAdd: ({ metadata }) => queue.add(metadata.name),
        onUpdate: ({ metadata }) => queue.add(metadata.name),
      }),
      accounts.addHandler({ onDelete: ({ metadata }) => queue.add(metadata.namespace ?? '') }),
    ];
    return {
      informers: [namespaces, accounts],
      async reconcile(namespace) {
        if (namespaces.get(namespace)?.status?.phase !== 'Active') return undefined;
        for (const name of DEFAULT_NAMES) {
          if (accounts.get(`${namespace}/${name}`) !== undefined) continue;
          try {
            await client
              .resource(resources.serviceAccounts, namespace)
              .create({ metadata: { name, namespace } });
          } catch (error) {
            // There already, or its namespace is on the way out.
            if (!isAlreadyExists(error) && !isNamespaceTerminating(error) && !isNotFound(error)) throw error;
          }
        }
        return undefined;
      },
      stop() {
        for (const remove of removeHandlers) remove();
      },
    };
  },
});
