/** Nothing is made in a namespace that is not there or is being deleted; some namespaces stay for ever. */
import { forbidden, type KubeObject, StatusError } from '#machinery';
import type { coreV1 } from '#api';
import type { CacheReader } from '../reader.ts';
import { typed } from '../typed-object.ts';
import type { AdmissionAttributes, AdmissionDependencies, AdmissionPlugin } from './admission.ts';
import { refusal, resourceOf } from './refusal.ts';

const NAMESPACES = { group: '', resource: 'namespaces' };
const IMMORTAL = new Set(['default', 'kube-system', 'kube-public']);

export function namespaceLifecycle(options: {
  readonly reader: CacheReader;
  readonly dependencies: AdmissionDependencies;
}): AdmissionPlugin {
  const { reader, dependencies } = options;

  /** Another server may have made it just now: asks the store before saying no. Throws the 404 that is the answer. */
  async function findInStore(name: string, signal: AbortSignal): Promise<coreV1.Namespace> {
    const { object } = await dependencies.endpoint.request(
      { verb: 'get', group: '', version: 'v1', resource: 'namespaces', name },
      { signal },
    );
    if (object.kind !== 'Namespace') throw new Error(`namespace ${name} was answered with a ${object.kind}`);
    return typed<coreV1.Namespace>(object as Parameters<typeof typed>[0]);
  }

  function check(attributes: AdmissionAttributes, found: coreV1.Namespace): KubeObject | undefined {
    const isGoing = attributes.operation === 'CREATE' && found.status?.phase === 'Terminating';
    if (isGoing) throw terminating(attributes);
    return attributes.object;
  }

  return {
    name: 'NamespaceLifecycle',
    mutate(attributes: AdmissionAttributes) {
      const { operation, target, object, signal } = attributes;
      const { namespace = '', name = '' } = target;
      const isNamespace = target.group === '' && target.resource === 'namespaces';
      if (isNamespace && operation === 'DELETE' && IMMORTAL.has(name)) {
        throw forbidden(NAMESPACES, name, 'this namespace may not be deleted');
      }
      if (operation === 'DELETE' || operation === 'CONNECT' || isNamespace || namespace === '') return object;
      // To tell whether the namespace is there would tell more than the review's asker may know.
      if (resourceOf(attributes) === 'localsubjectaccessreviews.authorization.k8s.io') return object;
      const cached = reader.get<coreV1.Namespace>(NAMESPACES, '', namespace);
      if (cached !== undefined) return check(attributes, cached);
      return findInStore(namespace, signal).then((found) => check(attributes, found));
    },
  };
}

function terminating(attributes: AdmissionAttributes): StatusError {
  const { namespace = '' } = attributes.target;
  const error = refusal(
    attributes,
    `unable to create new content in namespace ${namespace} because it is being terminated`,
  );
  return new StatusError(error.code, error.reason, error.message, {
    ...error.details,
    causes: [
      {
        reason: 'NamespaceTerminating',
        message: `namespace ${namespace} is being terminated`,
        field: 'metadata.namespace',
      },
    ],
  });
}
