/** Probes and lifecycle hooks: what is done to a container, and when. */
import {
  type FieldPath,
  fieldForbidden,
  invalid,
  required,
  validateHttpHeaderName,
  validatePortName,
  validatePortNumber,
} from '#machinery';
import type { coreV1 } from '../../../types/index.ts';
import {
  addInvalid,
  checkNonNegative,
  checkPresent,
  checkSupported,
  type Errors,
} from '../../field-rules.ts';

export function checkPortNumberOrName(
  port: number | string | undefined,
  at: FieldPath,
  errors: Errors,
): void {
  const given = port ?? 0;
  addInvalid(
    typeof given === 'number' ? validatePortNumber(given) : validatePortName(given),
    at,
    given,
    errors,
  );
}

/** A probe's and a hook's ways of doing something, together. */
interface Handler {
  readonly exec?: coreV1.ExecAction;
  readonly httpGet?: coreV1.HTTPGetAction;
  readonly tcpSocket?: coreV1.TCPSocketAction;
  readonly grpc?: coreV1.GRPCAction;
  readonly sleep?: coreV1.SleepAction;
}

const HANDLERS = ['exec', 'httpGet', 'tcpSocket', 'grpc', 'sleep'] as const;

function checkHandler(
  handler: Handler,
  gracePeriod: number | undefined,
  at: FieldPath,
  errors: Errors,
): void {
  let found = 0;
  for (const kind of HANDLERS) {
    if (handler[kind] === undefined) continue;
    if (found++ > 0) {
      errors.push(fieldForbidden(at.child(kind), 'may not specify more than 1 handler type'));
    } else checkAction(handler, kind, gracePeriod, at.child(kind), errors);
  }
  if (found === 0) errors.push(required(at, 'must specify a handler type'));
}

function checkAction(
  { exec, httpGet, tcpSocket, grpc, sleep }: Handler,
  kind: (typeof HANDLERS)[number],
  gracePeriod: number | undefined,
  at: FieldPath,
  errors: Errors,
): void {
  switch (kind) {
    case 'exec':
      if ((exec?.command ?? []).length === 0) errors.push(required(at.child('command')));
      return;
    case 'httpGet':
      if (httpGet !== undefined) checkHttpGet(httpGet, at, errors);
      return;
    case 'tcpSocket':
      checkPortNumberOrName(tcpSocket?.port, at.child('port'), errors);
      return;
    case 'grpc':
      checkPortNumberOrName(grpc?.port, at.child('port'), errors);
      return;
    case 'sleep':
      if (sleep !== undefined) checkSleep(sleep.seconds, gracePeriod, at, errors);
      return;
    default:
      kind satisfies never;
  }
}

function checkHttpGet(action: coreV1.HTTPGetAction, at: FieldPath, errors: Errors): void {
  checkPresent(action.path, at.child('path'), errors);
  checkPortNumberOrName(action.port, at.child('port'), errors);
  checkSupported(action.scheme ?? '', ['HTTP', 'HTTPS'], at.child('scheme'), errors);
  for (const { name } of action.httpHeaders ?? []) {
    addInvalid(validateHttpHeaderName(name), at.child('httpHeaders'), name, errors);
  }
}

function checkSleep(seconds: number, gracePeriod: number | undefined, at: FieldPath, errors: Errors): void {
  if (gracePeriod === undefined || (seconds >= 0 && seconds <= gracePeriod)) return;
  const why = `must be non-negative and less than terminationGracePeriodSeconds (${gracePeriod})`;
  errors.push(invalid(at, seconds, why));
}

const COUNTS = [
  'initialDelaySeconds',
  'timeoutSeconds',
  'periodSeconds',
  'successThreshold',
  'failureThreshold',
] as const;

function checkProbe(
  probe: coreV1.Probe,
  gracePeriod: number | undefined,
  at: FieldPath,
  errors: Errors,
): void {
  checkHandler(probe, gracePeriod, at, errors);
  for (const field of COUNTS) checkNonNegative(probe[field], at.child(field), errors);
  const own = probe.terminationGracePeriodSeconds;
  if (own !== undefined && own <= 0) {
    errors.push(invalid(at.child('terminationGracePeriodSeconds'), own, 'must be greater than 0'));
  }
}

type Probed = Pick<coreV1.Container, 'livenessProbe' | 'readinessProbe' | 'startupProbe'>;

export function checkProbes(
  container: Probed,
  gracePeriod: number | undefined,
  at: FieldPath,
  errors: Errors,
): void {
  for (const name of ['livenessProbe', 'readinessProbe', 'startupProbe'] as const) {
    const probe = container[name];
    if (probe === undefined) continue;
    const path = at.child(name);
    checkProbe(probe, gracePeriod, path, errors);
    if (name === 'readinessProbe') {
      const own = probe.terminationGracePeriodSeconds;
      if (own !== undefined) {
        const why = 'must not be set for readinessProbes';
        errors.push(invalid(path.child('terminationGracePeriodSeconds'), own, why));
      }
    } else if (probe.successThreshold !== 1) {
      errors.push(invalid(path.child('successThreshold'), probe.successThreshold ?? 0, 'must be 1'));
    }
  }
}

export function checkLifecycle(
  lifecycle: coreV1.Lifecycle | undefined,
  gracePeriod: number | undefined,
  at: FieldPath,
  errors: Errors,
): void {
  if (lifecycle === undefined) return;
  const { postStart, preStop } = lifecycle;
  if (postStart !== undefined) checkHandler(postStart, gracePeriod, at.child('postStart'), errors);
  if (preStop !== undefined) checkHandler(preStop, gracePeriod, at.child('preStop'), errors);
}
