/** A pod's spec, in a pod or in a template. */
import {
  duplicate,
  type FieldPath,
  fieldForbidden,
  fieldNotFound,
  invalid,
  notSupported,
  regexMessage,
  required,
  tooLong,
  validateDns1123Subdomain,
  validateInRange,
} from '#machinery';
import type { coreV1 } from '../../../types/index.ts';
import {
  addInvalid,
  checkOneOf,
  checkPresent,
  checkSupported,
  type Errors,
  ROOT,
} from '../../field-rules.ts';
import { checkLegacyIp } from '../../ip-rules.ts';
import {
  checkDns1123Label,
  checkDns1123Subdomain,
  checkLabels,
  checkQualifiedName,
} from '../../metadata-rules.ts';
import { checkContainerResources, checkPodLevelResources } from './container-resources.ts';
import { checkContainers, checkEphemeralContainers, checkInitContainers } from './containers.ts';
import { checkAffinity, checkSchedulingGates, checkTolerations, checkTopologySpread } from './scheduling.ts';
import { allContainers, checkHostUsers, checkPodSecurityContext } from './security.ts';
import { checkVolumes } from './volumes.ts';
import { checkHostProcess, checkOperatingSystem } from './windows.ts';

type PodSpec = coreV1.PodSpec;

const MAX_INT32 = 2_147_483_647;
const NO_CLAIMS: ReadonlySet<string> = new Set();

export interface PodSpecContext {
  /** Metadata of the pod; undefined in a template. */
  readonly metadata?: { readonly name?: string; readonly annotations?: Readonly<Record<string, string>> };
  /** What is there already; it may keep certain things that new pods may not have. */
  readonly old?: PodSpec;
}

export function checkPodSpec(spec: PodSpec, context: PodSpecContext, at: FieldPath, errors: Errors): void {
  const { metadata } = context;
  if (spec.terminationGracePeriodSeconds === undefined) {
    errors.push(required(at.child('terminationGracePeriodSeconds')));
  }
  const podName = metadata === undefined ? undefined : (metadata.name ?? '');
  const volumes = checkVolumes(spec.volumes ?? [], { podName }, at.child('volumes'), errors);
  const claims = new Set((spec.resourceClaims ?? []).map(({ name }) => name).filter((name) => name !== ''));
  checkPodClaims(spec.resourceClaims ?? [], metadata, at.child('resourceClaims'), errors);
  const containers = { spec, volumes, claims, allowsRestartOnResize: restartsInitOnResize(context.old) };
  checkContainers(containers, at.child('containers'), errors);
  checkInitContainers(containers, at.child('initContainers'), errors);
  checkEphemeralContainers(containers, at.child('ephemeralContainers'), errors);
  checkPodLevelResources(spec, at.child('resources'), errors);
  checkHostNetworkPorts(spec, metadata !== undefined, at.child('containers'), errors);
  checkOneOf(spec.restartPolicy, ['Always', 'OnFailure', 'Never'], at.child('restartPolicy'), errors);
  const dnsPolicies = ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None'];
  checkOneOf(spec.dnsPolicy, dnsPolicies, at.child('dnsPolicy'), errors);
  checkLabels(spec.nodeSelector, at.child('nodeSelector'), errors);
  checkPodSecurityContext(spec, at.child('securityContext'), errors);
  checkPlacement(spec, at, errors);
  checkNames(spec, at, errors);
  checkTail(spec, at, errors);
}

function checkPlacement(spec: PodSpec, at: FieldPath, errors: Errors): void {
  checkAffinity(spec.affinity, at.child('affinity'), errors);
  checkDnsConfig(spec, at.child('dnsConfig'), errors);
  for (const [i, { conditionType }] of (spec.readinessGates ?? []).entries()) {
    checkQualifiedName(conditionType, at.child('readinessGates').index(i).child('conditionType'), errors);
  }
  checkSchedulingGates(spec.schedulingGates, at.child('schedulingGates'), errors);
  checkTopologySpread(spec.topologySpreadConstraints, at.child('topologySpreadConstraints'), errors);
  checkHostProcess(spec, at, errors);
  checkHostUsers(spec, at, errors);
}

function checkNames(spec: PodSpec, at: FieldPath, errors: Errors): void {
  checkHostnameOverride(spec, at, errors);
  const { serviceAccountName = '', nodeName = '', hostname = '', subdomain = '' } = spec;
  if (serviceAccountName !== '') {
    checkDns1123Subdomain(serviceAccountName, at.child('serviceAccountName'), errors);
  }
  if (nodeName !== '') checkDns1123Subdomain(nodeName, at.child('nodeName'), errors);
  const deadline = spec.activeDeadlineSeconds;
  if (deadline !== undefined) {
    addInvalid(validateInRange(deadline, 1, MAX_INT32), at.child('activeDeadlineSeconds'), deadline, errors);
  }
  if (hostname !== '') checkDns1123Label(hostname, at.child('hostname'), errors);
  if (subdomain !== '') checkDns1123Label(subdomain, at.child('subdomain'), errors);
}

function checkTail(spec: PodSpec, at: FieldPath, errors: Errors): void {
  const { priorityClassName = '', runtimeClassName, preemptionPolicy, overhead, os } = spec;
  checkTolerations(spec.tolerations, at.child('tolerations'), errors);
  checkHostAliases(spec.hostAliases ?? [], at.child('hostAliases'), errors);
  if (priorityClassName !== '') {
    checkDns1123Subdomain(priorityClassName, at.child('priorityClassName'), errors);
  }
  if (runtimeClassName !== undefined) {
    checkDns1123Subdomain(runtimeClassName, at.child('runtimeClassName'), errors);
  }
  if (preemptionPolicy !== undefined) {
    checkOneOf(preemptionPolicy, ['PreemptLowerPriority', 'Never'], at.child('preemptionPolicy'), errors);
  }
  if (overhead !== undefined) {
    checkContainerResources({ limits: overhead }, NO_CLAIMS, at.child('overhead'), errors);
  }
  if (os !== undefined) {
    const before = errors.length;
    if (checkPresent(os.name, at.child('os', 'name'), errors)) {
      checkSupported(os.name, ['linux', 'windows'], at.child('os'), errors);
    }
    if (errors.length === before) checkOperatingSystem(spec, at, errors);
  }
  checkFileKeyVolumes(spec, at, errors);
}

const restartsInitOnResize = (spec: PodSpec | undefined): boolean =>
  spec?.initContainers?.some(
    ({ restartPolicy, resizePolicy = [] }) =>
      restartPolicy !== 'Always' &&
      resizePolicy.some((policy) => policy.restartPolicy === 'RestartContainer'),
  ) === true;

function checkPodClaims(
  claims: readonly coreV1.PodResourceClaim[],
  metadata: PodSpecContext['metadata'],
  at: FieldPath,
  errors: Errors,
): void {
  const names = new Set<string>();
  for (const [i, claim] of claims.entries()) {
    if (metadata?.annotations?.['kubernetes.io/config.mirror'] !== undefined) {
      errors.push(fieldForbidden(ROOT, 'static pods do not support resource claims'));
      continue;
    }
    const path = at.index(i);
    const { name, resourceClaimName, resourceClaimTemplateName } = claim;
    const printed = {
      Name: name,
      ResourceClaimName: resourceClaimName ?? null,
      ResourceClaimTemplateName: resourceClaimTemplateName ?? null,
    };
    if (name === '') errors.push(required(path.child('name')));
    else if (names.has(name)) errors.push(duplicate(path.child('name'), name));
    else checkDns1123Label(name, path.child('name'), errors);
    names.add(name);
    if (resourceClaimName !== undefined && resourceClaimTemplateName !== undefined) {
      const why = 'at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified';
      errors.push(invalid(path, printed, why));
    }
    if (resourceClaimName === undefined && resourceClaimTemplateName === undefined) {
      const why = 'must specify one of: `resourceClaimName`, `resourceClaimTemplateName`';
      errors.push(invalid(path, printed, why));
    }
    for (const field of ['resourceClaimName', 'resourceClaimTemplateName'] as const) {
      const value = claim[field];
      if (value !== undefined) checkDns1123Subdomain(value, path.child(field), errors);
    }
  }
}

function checkHostNetworkPorts(spec: PodSpec, isPod: boolean, at: FieldPath, errors: Errors): void {
  if (spec.hostNetwork !== true) return;
  for (const [i, { ports = [] }] of (spec.containers ?? []).entries()) {
    for (const [j, { hostPort = 0, containerPort }] of ports.entries()) {
      if (hostPort === containerPort || (!isPod && hostPort === 0)) continue;
      const why = 'must match `containerPort` when `hostNetwork` is true';
      errors.push(invalid(at.index(i).child('ports').index(j).child('hostPort'), hostPort, why));
    }
  }
}

const MAX_NAMESERVERS = 3;
const MAX_SEARCHES = 32;
const MAX_SEARCH_CHARACTERS = 2_048;
const UNDERSCORE_LABEL = '_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?';
const UNDERSCORE_MESSAGE = regexMessage(
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character",
  `${UNDERSCORE_LABEL}(\\.${UNDERSCORE_LABEL})*`,
  'example.com',
);

function checkSearch(search: string, at: FieldPath, errors: Errors): void {
  if (search === '.') return;
  const name = search.replace(/\.$/, '');
  if (Buffer.byteLength(name) > 253) errors.push(invalid(at, name, 'must be no more than 253 characters'));
  if (!name.split('.').every((label) => /^_?[a-z0-9](?:[-_a-z0-9]*[a-z0-9])?$/.test(label))) {
    errors.push(invalid(at, name, UNDERSCORE_MESSAGE));
  }
}

function checkDnsConfig(spec: PodSpec, at: FieldPath, errors: Errors): void {
  const { dnsConfig, dnsPolicy } = spec;
  if (dnsPolicy === 'None') {
    if (dnsConfig === undefined) {
      errors.push(required(at, 'must provide `dnsConfig` when `dnsPolicy` is None'));
      return;
    }
    if ((dnsConfig.nameservers ?? []).length === 0) {
      const why = 'must provide at least one DNS nameserver when `dnsPolicy` is None';
      errors.push(required(at.child('nameservers'), why));
      return;
    }
  }
  if (dnsConfig === undefined) return;
  const { nameservers = [], searches = [], options = [] } = dnsConfig;
  if (nameservers.length > MAX_NAMESERVERS) {
    const why = `must not have more than ${MAX_NAMESERVERS} nameservers`;
    errors.push(invalid(at.child('nameservers'), nameservers, why));
  }
  for (const [i, server] of nameservers.entries()) {
    checkLegacyIp(server, at.child('nameservers').index(i), errors);
  }
  const searchesPath = at.child('searches');
  if (searches.length > MAX_SEARCHES) {
    errors.push(invalid(searchesPath, searches, `must not have more than ${MAX_SEARCHES} search paths`));
  }
  if (Buffer.byteLength(searches.join(' ')) > MAX_SEARCH_CHARACTERS) {
    const why = `must not have more than ${MAX_SEARCH_CHARACTERS} characters (including spaces) in the search list`;
    errors.push(invalid(searchesPath, searches, why));
  }
  for (const [i, search] of searches.entries()) checkSearch(search, searchesPath.index(i), errors);
  for (const [i, { name = '' }] of options.entries()) {
    checkPresent(name, at.child('options').index(i), errors, 'must not be empty');
  }
}

const MAX_HOSTNAME_LENGTH = 64;

function checkHostnameOverride(spec: PodSpec, at: FieldPath, errors: Errors): void {
  const name = spec.hostnameOverride;
  if (name === undefined) return;
  const path = at.child('hostnameOverride');
  if (spec.setHostnameAsFQDN === true) {
    errors.push(fieldForbidden(path, 'may not be specified when setHostnameAsFQDN is true'));
  }
  if (spec.hostNetwork === true) {
    errors.push(fieldForbidden(path, 'may not be specified when hostNetwork is true'));
  }
  if (Buffer.byteLength(name) > MAX_HOSTNAME_LENGTH) errors.push(tooLong(path, MAX_HOSTNAME_LENGTH));
  addInvalid(validateDns1123Subdomain(name), path, name, errors);
}

function checkHostAliases(aliases: readonly coreV1.HostAlias[], at: FieldPath, errors: Errors): void {
  for (const [i, { ip, hostnames = [] }] of aliases.entries()) {
    checkLegacyIp(ip, at.index(i).child('ip'), errors);
    for (const [j, name] of hostnames.entries()) {
      checkDns1123Subdomain(name, at.index(i).child('hostnames').index(j), errors);
    }
  }
}

/** Variables read from files need the volume the files are on. */
function checkFileKeyVolumes(spec: PodSpec, at: FieldPath, errors: Errors): void {
  for (const { container, path } of allContainers(spec, at)) {
    for (const [i, { valueFrom }] of (container.env ?? []).entries()) {
      const volumeName = valueFrom?.fileKeyRef?.volumeName;
      if (volumeName === undefined) continue;
      const volumePath = path.child('env').index(i).child('valueFrom', 'fileKeyRef', 'volumeName');
      const volume = spec.volumes?.find(({ name }) => name === volumeName);
      if (volume === undefined) errors.push(fieldNotFound(volumePath, volumeName));
      else if (volume.emptyDir === undefined) {
        errors.push(invalid(volumePath, volumeName, 'referenced volume must be of type emptyDir'));
      }
    }
  }
}

/** Workloads that keep their pods running allow one policy only. */
export function checkAlwaysRestarts(spec: PodSpec | undefined, at: FieldPath, errors: Errors): void {
  const policy = spec?.restartPolicy;
  if (policy !== 'Always') errors.push(notSupported(at.child('restartPolicy'), policy ?? '', ['Always']));
}
