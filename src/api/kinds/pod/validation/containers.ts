/** Containers, init containers and ephemeral containers. */
import {
  duplicate,
  type FieldPath,
  fieldForbidden,
  fieldNotFound,
  invalid,
  notSupported,
  required,
  tooMany,
  validatePortName,
  validatePortNumber,
} from '#machinery';
import type { coreV1 } from '../../../types/index.ts';
import {
  addInvalid,
  checkOneOf,
  checkPresent,
  checkSupported,
  isEmpty,
  type Errors,
} from '../../field-rules.ts';
import { checkDns1123Label } from '../../metadata-rules.ts';
import { checkContainerResources, checkResizePolicy } from './container-resources.ts';
import { checkEnvironment, checkEnvironmentSources } from './environment.ts';
import { checkImageWhitespace, checkPullPolicy } from './images.ts';
import { checkDevices, checkMounts } from './mounts.ts';
import { checkLifecycle, checkProbes } from './probes.ts';
import { checkSecurityContext } from './security.ts';
import type { KnownVolumes } from './volumes.ts';

type Container = coreV1.Container;

/** What the containers of one pod have around them. */
export interface ContainerContext {
  readonly spec: coreV1.PodSpec;
  readonly volumes: KnownVolumes;
  readonly claims: ReadonlySet<string>;
  /** A non-sidecar init container had `RestartContainer` before; it may keep it. */
  readonly allowsRestartOnResize: boolean;
}

export const PROTOCOLS = ['SCTP', 'TCP', 'UDP'];

const sharesHostUsers = (spec: coreV1.PodSpec): boolean => spec.hostUsers !== false;

export function checkContainers(context: ContainerContext, at: FieldPath, errors: Errors): void {
  const { spec } = context;
  const containers: readonly Container[] = spec.containers ?? [];
  if (containers.length === 0) {
    errors.push(required(at));
    return;
  }
  const gracePeriod = spec.terminationGracePeriodSeconds;
  const names = new Set<string>();
  for (const [i, container] of containers.entries()) {
    const path = at.index(i);
    checkContainer(container, context, path, errors);
    checkUniqueName(container.name, names, path, errors);
    checkLifecycle(container.lifecycle, gracePeriod, path.child('lifecycle'), errors);
    checkProbes(container, gracePeriod, path, errors);
    checkRestartPolicy(container, path, errors);
  }
  checkHostPorts(containers, at, errors);
}

export function checkInitContainers(context: ContainerContext, at: FieldPath, errors: Errors): void {
  const { spec } = context;
  if (spec.initContainers === undefined) return;
  const names = new Set((spec.containers ?? []).map(({ name }) => name));
  for (const [i, container] of spec.initContainers.entries()) {
    const path = at.index(i);
    const isSidecar = container.restartPolicy === 'Always';
    checkContainer(container, context, path, errors);
    checkRestartPolicy(container, path, errors);
    checkUniqueName(container.name, names, path, errors);
    checkHostPorts([container], at, errors);
    if (isSidecar) checkSidecar(container, spec, path, errors);
    else checkPlainInit(container, context, path, errors);
  }
}

function checkSidecar(container: Container, spec: coreV1.PodSpec, at: FieldPath, errors: Errors): void {
  const gracePeriod = spec.terminationGracePeriodSeconds;
  checkLifecycle(container.lifecycle, gracePeriod, at.child('lifecycle'), errors);
  checkProbes(container, gracePeriod, at, errors);
}

function checkPlainInit(
  container: Container,
  context: ContainerContext,
  at: FieldPath,
  errors: Errors,
): void {
  for (const field of ['lifecycle', 'livenessProbe', 'readinessProbe', 'startupProbe'] as const) {
    if (container[field] === undefined) continue;
    const why = 'may not be set for init containers without restartPolicy=Always';
    errors.push(fieldForbidden(at.child(field), why));
  }
  if (context.allowsRestartOnResize) return;
  for (const [i, { restartPolicy }] of (container.resizePolicy ?? []).entries()) {
    if (restartPolicy !== 'RestartContainer') continue;
    const why = "must not be set to 'RestartContainer' for non-sidecar initContainers";
    errors.push(invalid(at.child('resizePolicy').index(i).child('restartPolicy'), restartPolicy, why));
  }
}

function checkUniqueName(name: string, names: Set<string>, at: FieldPath, errors: Errors): void {
  if (names.has(name)) errors.push(duplicate(at.child('name'), name));
  else if (name !== '') names.add(name);
}

const FORBIDDEN_IN_EPHEMERAL = [
  'ports',
  'resources',
  'resizePolicy',
  'restartPolicy',
  'restartPolicyRules',
  'livenessProbe',
  'readinessProbe',
  'startupProbe',
  'lifecycle',
] as const;
const EPHEMERAL_WHY = 'cannot be set for an Ephemeral Container';

const isSet = (value: unknown): boolean =>
  value !== undefined && !(typeof value === 'object' && value !== null && Object.keys(value).length === 0);

export function checkEphemeralContainers(context: ContainerContext, at: FieldPath, errors: Errors): void {
  const { spec } = context;
  if (spec.ephemeralContainers === undefined) return;
  const others = new Set([...spec.containers, ...(spec.initContainers ?? [])].map(({ name }) => name));
  const names = new Set(others);
  for (const [i, container] of spec.ephemeralContainers.entries()) {
    const path = at.index(i);
    checkContainer(container, context, path, errors);
    checkImageWhitespace(container.image, path.child('image'), errors);
    if (names.has(container.name)) errors.push(duplicate(path.child('name'), container.name));
    else names.add(container.name);
    const { targetContainerName = '' } = container;
    if (targetContainerName !== '' && !others.has(targetContainerName)) {
      errors.push(fieldNotFound(path.child('targetContainerName'), targetContainerName));
    }
    for (const field of FORBIDDEN_IN_EPHEMERAL) {
      if (isSet(container[field])) errors.push(fieldForbidden(path.child(field), EPHEMERAL_WHY));
    }
    for (const [j, mount] of (container.volumeMounts ?? []).entries()) {
      for (const field of ['subPath', 'subPathExpr'] as const) {
        if (isEmpty(mount[field])) continue;
        errors.push(fieldForbidden(path.child('volumeMounts').index(j).child(field), EPHEMERAL_WHY));
      }
    }
  }
}

/** What every container has; probes and hooks depend on its role. */
function checkContainer(
  container: Container | coreV1.EphemeralContainer,
  { spec, volumes, claims }: ContainerContext,
  at: FieldPath,
  errors: Errors,
): void {
  if (checkPresent(container.name, at.child('name'), errors)) {
    checkDns1123Label(container.name, at.child('name'), errors);
  }
  checkPresent(container.image, at.child('image'), errors);
  const messagePolicies = ['File', 'FallbackToLogsOnError'];
  checkOneOf(
    container.terminationMessagePolicy,
    messagePolicies,
    at.child('terminationMessagePolicy'),
    errors,
  );
  checkPorts(container.ports ?? [], at.child('ports'), errors);
  checkEnvironment(container.env, at.child('env'), errors);
  checkEnvironmentSources(container.envFrom, at.child('envFrom'), errors);
  checkMounts(container, volumes, at.child('volumeMounts'), errors);
  checkDevices(container, volumes, at.child('volumeDevices'), errors);
  checkPullPolicy(container.imagePullPolicy, at.child('imagePullPolicy'), errors);
  checkContainerResources(container.resources, claims, at.child('resources'), errors);
  checkResizePolicy(container.resizePolicy ?? [], spec.restartPolicy, at.child('resizePolicy'), errors);
  checkSecurityContext(container.securityContext, sharesHostUsers(spec), at.child('securityContext'), errors);
}

function checkPorts(ports: readonly coreV1.ContainerPort[], at: FieldPath, errors: Errors): void {
  const names = new Set<string>();
  for (const [i, port] of ports.entries()) {
    const path = at.index(i);
    const { name = '', containerPort, hostPort = 0 } = port;
    if (name !== '') {
      const messages = validatePortName(name);
      addInvalid(messages, path.child('name'), name, errors);
      if (messages.length === 0) {
        if (names.has(name)) errors.push(duplicate(path.child('name'), name));
        names.add(name);
      }
    }
    if (containerPort === 0) errors.push(required(path.child('containerPort')));
    else addInvalid(validatePortNumber(containerPort), path.child('containerPort'), containerPort, errors);
    if (hostPort !== 0) addInvalid(validatePortNumber(hostPort), path.child('hostPort'), hostPort, errors);
    checkOneOf(port.protocol, PROTOCOLS, path.child('protocol'), errors);
  }
}

function checkHostPorts(containers: readonly Container[], at: FieldPath, errors: Errors): void {
  const seen = new Set<string>();
  for (const [i, { ports = [] }] of containers.entries()) {
    for (const [j, { protocol = '', hostIP = '', hostPort = 0 }] of ports.entries()) {
      if (hostPort === 0) continue;
      const key = `${protocol}/${hostIP}/${hostPort}`;
      if (seen.has(key)) errors.push(duplicate(at.index(i).child('ports').index(j).child('hostPort'), key));
      seen.add(key);
    }
  }
}

const MAX_RULES = 20;
const MAX_EXIT_CODES = 255;

function checkRestartPolicy(container: Container, at: FieldPath, errors: Errors): void {
  const { restartPolicy, restartPolicyRules = [] } = container;
  const policyPath = at.child('restartPolicy');
  if (restartPolicy !== undefined) {
    checkSupported(restartPolicy, ['Always', 'Never', 'OnFailure'], policyPath, errors);
  } else if (restartPolicyRules.length > 0) {
    errors.push(required(policyPath, 'must specify restartPolicy when restart rules are used'));
  }
  const rulesPath = at.child('restartPolicyRules');
  if (restartPolicyRules.length > MAX_RULES) {
    errors.push(tooMany(rulesPath, restartPolicyRules.length, MAX_RULES));
  }
  for (const [i, { action, exitCodes }] of restartPolicyRules.entries()) {
    const path = rulesPath.index(i);
    checkSupported(action ?? '', ['Restart', 'RestartAllContainers'], path.child('action'), errors);
    if (exitCodes === undefined) {
      errors.push(required(path.child('exitCodes'), 'must be specified'));
      continue;
    }
    const codes = path.child('exitCodes');
    const operators = ['In', 'NotIn'];
    if (!operators.includes(exitCodes.operator)) {
      errors.push(notSupported(codes.child('operator'), exitCodes.operator, operators));
    }
    const count = exitCodes.values?.length ?? 0;
    if (count > MAX_EXIT_CODES) errors.push(tooMany(codes.child('values'), count, MAX_EXIT_CODES));
  }
}
