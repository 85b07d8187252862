/** Pod Security admission: pods against their namespace's policy, workloads with a warning, namespaces' own labels. */
import type { appsV1, batchV1, coreV1 } from '#api';
import { invalidObject, type KubeObject, notFound } from '#machinery';
import type { CacheReader } from '../../reader.ts';
import { typed } from '../../typed-object.ts';
import type { AdmissionAttributes, AdmissionPlugin } from '../admission.ts';
import { refusal, resourceOf } from '../refusal.ts';
import { namespaceWarnings } from './namespace-warnings.ts';
import type { PodLike } from './check.ts';
import { describeLevel, evaluate, policyOf, sameLevel, strictness } from './policy.ts';

const NAMESPACES = { group: '', resource: 'namespaces' };
/** Subresources of pods that change nothing a policy looks at. */
const HARMLESS = ['exec', 'attach', 'binding', 'eviction', 'log', 'portforward', 'proxy', 'status'];
const HARMLESS_PODS = new Set(HARMLESS.map((name) => `pods/${name}`));

export const podOf = (pod: coreV1.Pod): PodLike => ({
  annotations: pod.metadata.annotations ?? {},
  spec: pod.spec,
});

const ofTemplate = (template: coreV1.PodTemplateSpec | undefined): PodLike | undefined =>
  template?.spec === undefined
    ? undefined
    : { annotations: template.metadata?.annotations ?? {}, spec: template.spec };

/** The pods that a workload will make; undefined: it makes none, or is no workload. */
function templateOf(resource: string, object: KubeObject): PodLike | undefined {
  switch (resource) {
    case 'podtemplates':
      return ofTemplate(typed<coreV1.PodTemplate>(object).template);
    case 'cronjobs.batch':
      return ofTemplate(typed<batchV1.CronJob>(object).spec.jobTemplate.spec?.template);
    case 'replicationcontrollers':
    case 'replicasets.apps':
    case 'deployments.apps':
    case 'daemonsets.apps':
    case 'statefulsets.apps':
    case 'jobs.batch':
      return ofTemplate(typed<appsV1.Deployment>(object).spec.template);
    default:
      return undefined;
  }
}

/** Images are all that an update of a pod can change of what a policy looks at; ephemeral containers may come. */
function isSignificant(pod: coreV1.Pod, old: coreV1.Pod): boolean {
  const images = ({ spec }: coreV1.Pod): string =>
    JSON.stringify([
      (spec.initContainers ?? []).map(({ image }) => image),
      spec.containers.map(({ image }) => image),
    ]);
  if (images(pod) !== images(old)) return true;
  const known = new Map((old.spec.ephemeralContainers ?? []).map(({ name, image }) => [name, image]));
  return (pod.spec.ephemeralContainers ?? []).some(
    ({ name, image }) => !known.has(name) || known.get(name) !== image,
  );
}

export function podSecurity(options: { readonly reader: CacheReader }): AdmissionPlugin {
  const { reader } = options;

  function policyFor({ target }: AdmissionAttributes) {
    const namespace = reader.get<coreV1.Namespace>(NAMESPACES, '', target.namespace ?? '');
    if (namespace === undefined) throw notFound(NAMESPACES, target.namespace ?? '');
    return policyOf(namespace.metadata.labels).policy;
  }

  function checkPod(attributes: AdmissionAttributes, object: KubeObject): void {
    const policy = policyFor(attributes);
    const pod = typed<coreV1.Pod>(object);
    const { operation, oldObject, warn } = attributes;
    if (operation === 'UPDATE' && oldObject !== undefined && !isSignificant(pod, typed(oldObject))) return;
    const enforced = evaluate(policy.enforce, podOf(pod));
    if (!enforced.allowed) {
      throw refusal(
        attributes,
        `violates PodSecurity "${describeLevel(policy.enforce)}": ${enforced.details}`,
      );
    }
    if (sameLevel(policy.warn, policy.enforce)) return;
    warnOf(policy.warn, podOf(pod), warn);
  }

  function checkNamespace(attributes: AdmissionAttributes, object: KubeObject): void {
    const { operation, oldObject, warn } = attributes;
    const { policy, errors } = policyOf(object.metadata.labels);
    const old = policyOf(operation === 'UPDATE' ? oldObject?.metadata.labels : undefined);
    const newErrors = JSON.stringify(errors) !== JSON.stringify(old.errors);
    if (errors.length > 0 && (operation === 'CREATE' || newErrors)) {
      throw invalidObject({ group: '', kind: 'Namespace' }, object.metadata.name ?? '', errors);
    }
    if (operation === 'CREATE') return;
    const [now, before] = [policy.enforce, old.policy.enforce];
    if (sameLevel(now, before) || now.level === 'privileged') return;
    if (now.minor === before.minor && strictness(now.level) <= strictness(before.level)) return;
    for (const text of namespaceWarnings(reader, object.metadata.name ?? '', now)) warn(text);
  }

  return {
    name: 'PodSecurity',
    validate(attributes: AdmissionAttributes): void {
      const { operation, object, target, warn } = attributes;
      if (object === undefined || (operation !== 'CREATE' && operation !== 'UPDATE')) return;
      const resource = resourceOf(attributes);
      if (resource === 'namespaces') return checkNamespace(attributes, object);
      if (target.group === '' && target.resource === 'pods') {
        return HARMLESS_PODS.has(resource) ? undefined : checkPod(attributes, object);
      }
      const template = templateOf(resource, object);
      if (template !== undefined) warnOf(policyFor(attributes).warn, template, warn);
      return undefined;
    },
  };
}

function warnOf(level: Parameters<typeof evaluate>[0], pod: PodLike, warn: (text: string) => void): void {
  const { allowed, details } = evaluate(level, pod);
  if (!allowed) warn(`would violate PodSecurity "${describeLevel(level)}": ${details}`);
}
