/** For accounts annotated so: pods may use only the secrets that the account lists (deprecated, still honoured). */
import type { coreV1 } from '#api';
import type { AdmissionAttributes } from './admission.ts';
import { refusal } from './refusal.ts';

const ENFORCE_ANNOTATION = 'kubernetes.io/enforce-mountable-secrets';
/** What Go's ParseBool takes for true. */
const TRUE = new Set(['1', 't', 'T', 'true', 'TRUE', 'True']);

type EnvironmentOf = Pick<coreV1.Container, 'name' | 'env' | 'envFrom'>;

export function checkSecretReferences(
  attributes: AdmissionAttributes,
  account: coreV1.ServiceAccount,
  pod: coreV1.Pod,
  what: 'all' | 'ephemeral',
): void {
  if (!TRUE.has(account.metadata.annotations?.[ENFORCE_ANNOTATION] ?? '')) return;
  const mountable = new Set((account.secrets ?? []).map((secret) => secret.name));
  const name = account.metadata.name ?? '';
  const refuse = (thing: string, secret = 'secret'): never => {
    throw refusal(
      attributes,
      `${thing} is not allowed because service account ${name} does not reference that ${secret}`,
    );
  };
  const checkEnvironment = (container: EnvironmentOf, kind: string): void => {
    for (const { name: variable, valueFrom } of container.env ?? []) {
      const secret = valueFrom?.secretKeyRef?.name;
      if (secret !== undefined && !mountable.has(secret)) {
        refuse(`${kind} ${container.name} with envVar ${variable} referencing secret.secretName="${secret}"`);
      }
    }
    for (const { secretRef } of container.envFrom ?? []) {
      const secret = secretRef?.name;
      if (secret !== undefined && !mountable.has(secret)) {
        refuse(`${kind} ${container.name} with envFrom referencing secret.secretName="${secret}"`);
      }
    }
  };
  if (what === 'ephemeral') {
    for (const container of pod.spec.ephemeralContainers ?? []) {
      checkEnvironment(container, 'ephemeral container');
    }
    return;
  }
  for (const { secret } of pod.spec.volumes ?? []) {
    if (secret === undefined || mountable.has(secret.secretName)) continue;
    refuse(`volume with secret.secretName="${secret.secretName}"`);
  }
  for (const container of pod.spec.initContainers ?? []) checkEnvironment(container, 'init container');
  for (const container of pod.spec.containers ?? []) checkEnvironment(container, 'container');
  const pull = new Set((account.imagePullSecrets ?? []).map((secret) => secret.name));
  for (const [i, secret] of (pod.spec.imagePullSecrets ?? []).entries()) {
    if (!pull.has(secret.name)) refuse(`imagePullSecrets[${i}].name="${secret.name}"`, 'imagePullSecret');
  }
}
