import { resources } from '#client';
import { isAlreadyExists, isNamespaceTerminating, isNotFound } from '#machinery';
import { type Controller, defineController } from '../frame/controller.ts';

const NAME = 'kube-root-ca.crt';
const DESCRIPTION = 'kubernetes.io/description';
const DESCRIPTION_TEXT =
  'CA of this cluster: verifies the API server under its internal names, and nothing else.';

/** Puts the cluster's CA into every namespace, where pods find it beside their token. */
export function rootCaPublisher(rootCaPem: string): Controller {
  const data = { 'ca.crt': rootCaPem };
  return defineController({
    name: 'root-ca-cert-publisher',
    workers: 1,
    setup({ client, informers, queue }) {
      const namespaces = informers.for(resources.namespaces);
      const configMaps = informers.for(resources.configMaps);
      const enqueueOwn = (metadata: { readonly name: string; readonly namespace?: string }): void => {
        if (metadata.name === NAME) queue.add(metadata.namespace ?? '');
      };
      const removeHandlers = [
        namespaces.addHandler({
          onAdd: ({ metadata }) => queue.add(metadata.name),
          onUpdate: ({ metadata }) => queue.add(metadata.name),
        }),
        configMaps.addHandler({
          onUpdate: ({ metadata }) => enqueueOwn(metadata),
          onDelete: ({ metadata }) => enqueueOwn(metadata),
        }),
      ];
      return {
        informers: [namespaces, configMaps],
        async reconcile(namespace) {
          if (namespaces.get(namespace)?.status?.phase !== 'Active') return undefined;
          const maps = client.resource(resources.configMaps, namespace);
          const current = configMaps.get(`${namespace}/${NAME}`);
          try {
            if (current === undefined) {
              await maps.create({
                metadata: { name: NAME, namespace, annotations: { [DESCRIPTION]: DESCRIPTION_TEXT } },
                data,
              });
            } else if (current.data?.['ca.crt'] !== rootCaPem || Object.keys(current.data).length !== 1) {
              await maps.update({ ...current, data });
            }
          } catch (error) {
            // There already, or its namespace is on the way out.
            if (!isAlreadyExists(error) && !isNamespaceTerminating(error) && !isNotFound(error)) throw error;
          }
          return undefined;
        },
        stop() {
          for (const remove of removeHandlers) remove();
        },
      };
    },
  });
}
