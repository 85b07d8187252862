/** Every pod has a service account that exists, and a volume with a token of it unless it wants none. */
import type { coreV1 } from '#api';
import type { KubeObject } from '#machinery';
import { type Clock, type Random, randomNameSuffix } from '#platform';
import { podReferences } from '../authorization/pod-references.ts';
import type { CacheReader } from '../reader.ts';
import { typed, untyped } from '../typed-object.ts';
import type { AdmissionAttributes, AdmissionPlugin } from './admission.ts';
import { refusal } from './refusal.ts';
import { checkSecretReferences } from './service-account-secrets.ts';

const SERVICE_ACCOUNTS = { group: '', resource: 'serviceaccounts' };
const MIRROR_ANNOTATION = 'kubernetes.io/config.mirror';
const VOLUME_PREFIX = 'kube-api-access-';
const MOUNT_PATH = '/var/run/secrets/kubernetes.io/serviceaccount';
/** Marks a token that was not asked for explicitly; see the token request. */
const TOKEN_EXPIRATION_SECONDS = 3607;
/** How long a new namespace's `default` account, made by a controller, is waited for. */
const DEFAULT_ACCOUNT_WAIT_MS = 1500;

export interface ServiceAccountPluginOptions {
  readonly reader: CacheReader;
  readonly clock: Clock;
  readonly random: Random;
}

export function serviceAccountPlugin(options: ServiceAccountPluginOptions): AdmissionPlugin {
  const { reader, random } = options;

  async function accountOf(attributes: AdmissionAttributes, name: string): Promise<coreV1.ServiceAccount> {
    const namespace = attributes.target.namespace ?? '';
    const find = () => reader.get<coreV1.ServiceAccount>(SERVICE_ACCOUNTS, namespace, name);
    let account = find();
    if (account === undefined && name === 'default') {
      await appears(options, attributes.signal, () => find() !== undefined);
      account = find();
    }
    if (account === undefined) {
      throw refusal(
        attributes,
        `error looking up service account ${namespace}/${name}: serviceaccount ${JSON.stringify(name)} not found`,
      );
    }
    return account;
  }

  return {
    name: 'ServiceAccount',
    async mutate(attributes: AdmissionAttributes): Promise<KubeObject | undefined> {
      const { object, operation, target } = attributes;
      const { subresource = '' } = target;
      if (target.group !== '' || target.resource !== 'pods' || object === undefined) return object;
      const pod = typed<coreV1.Pod>(object);
      if (operation === 'UPDATE' && subresource === 'ephemeralcontainers') {
        const account = await accountOf(attributes, pod.spec.serviceAccountName ?? '');
        checkSecretReferences(attributes, account, pod, 'ephemeral');
        return object;
      }
      if (operation !== 'CREATE' || subresource !== '') return object;
      if (pod.metadata.annotations?.[MIRROR_ANNOTATION] !== undefined) {
        checkMirrorPod(attributes, pod);
        return object;
      }
      const given = pod.spec.serviceAccountName ?? '';
      const name = given === '' ? 'default' : given;
      const account = await accountOf(attributes, name);
      const admitted = admit(pod, account, name, random);
      checkSecretReferences(attributes, account, admitted, 'all');
      return untyped(admitted);
    },
  };
}

function admit(pod: coreV1.Pod, account: coreV1.ServiceAccount, name: string, random: Random): coreV1.Pod {
  // The old name of the field is kept in step with the new.
  let spec: coreV1.PodSpec = { ...pod.spec, serviceAccountName: name, serviceAccount: name };
  const mounts = pod.spec.automountServiceAccountToken ?? account.automountServiceAccountToken ?? true;
  if (mounts) spec = mountToken(spec, random);
  if ((spec.imagePullSecrets?.length ?? 0) === 0 && (account.imagePullSecrets?.length ?? 0) > 0) {
    spec = { ...spec, imagePullSecrets: account.imagePullSecrets };
  }
  return { ...pod, spec };
}

function mountToken(spec: coreV1.PodSpec, random: Random): coreV1.PodSpec {
  const existing = spec.volumes?.find((volume) => volume.name.startsWith(VOLUME_PREFIX));
  const name = existing?.name ?? `${VOLUME_PREFIX}${randomNameSuffix(random)}`;
  let needed = false;
  const mount = (container: coreV1.Container): coreV1.Container => {
    if (container.volumeMounts?.some(({ mountPath }) => mountPath === MOUNT_PATH) === true) return container;
    needed = true;
    const added = { name, readOnly: true, mountPath: MOUNT_PATH };
    return { ...container, volumeMounts: [...(container.volumeMounts ?? []), added] };
  };
  const initContainers = spec.initContainers?.map(mount);
  // Not validated yet: a pod without containers has null here.
  const containers = (spec.containers ?? []).map(mount);
  if (!needed) return spec;
  return {
    ...spec,
    ...(existing === undefined ? { volumes: [...(spec.volumes ?? []), tokenVolume(name)] } : {}),
    ...(initContainers === undefined ? {} : { initContainers }),
    containers,
  };
}

/** Token, the cluster's CA and the namespace, in one directory. */
function tokenVolume(name: string): coreV1.Volume {
  return {
    name,
    projected: {
      sources: [
        { serviceAccountToken: { expirationSeconds: TOKEN_EXPIRATION_SECONDS, path: 'token' } },
        { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
        {
          downwardAPI: {
            items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }],
          },
        },
      ],
      defaultMode: 0o644,
    },
  };
}

function checkMirrorPod(attributes: AdmissionAttributes, pod: coreV1.Pod): void {
  if ((pod.spec.serviceAccountName ?? '') !== '') {
    throw refusal(attributes, 'a mirror pod may not reference service accounts');
  }
  if (podReferences(pod).secrets.length > 0) {
    throw refusal(attributes, 'a mirror pod may not reference secrets');
  }
  const sources = (pod.spec.volumes ?? []).flatMap((volume) => volume.projected?.sources ?? []);
  if (sources.some((source) => source.serviceAccountToken !== undefined)) {
    throw refusal(attributes, 'a mirror pod may not use ServiceAccountToken volume projections');
  }
}

/** Resolves when the condition holds after a change, when the wait is over, or when the request is. */
function appears(
  { reader, clock }: ServiceAccountPluginOptions,
  signal: AbortSignal,
  condition: () => boolean,
): Promise<void> {
  return new Promise((resolve) => {
    const finish = (): void => {
      stopWatching();
      timer.cancel();
      signal.removeEventListener('abort', finish);
      resolve();
    };
    const stopWatching = reader.onChange(SERVICE_ACCOUNTS, () => {
      if (condition()) finish();
    });
    const timer = clock.setTimer(DEFAULT_ACCOUNT_WAIT_MS, finish);
    signal.addEventListener('abort', finish);
    if (signal.aborted) finish();
  });
}
