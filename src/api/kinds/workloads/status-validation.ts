/** Numbers in the status of workloads: none negative, none above the whole. */
import { FieldPath, type FieldError, invalid } from '#machinery';
import type { appsV1, coreV1 } from '../../types/index.ts';
import { checkNonNegative, collect, type Errors } from '../field-rules.ts';

const path = new FieldPath('status');

type Counts = Readonly<Record<string, unknown>>;

const count = (status: Counts, field: string): number => {
  const value = status[field];
  return typeof value === 'number' ? value : 0;
};

function checkCounts(status: Counts, fields: readonly string[], errors: Errors): void {
  for (const field of fields) checkNonNegative(count(status, field), path.child(field), errors);
}

function checkWithinReplicas(status: Counts, parts: readonly string[], errors: Errors, ready: string): void {
  const whole = count(status, 'replicas');
  for (const field of parts) {
    if (count(status, field) <= whole) continue;
    errors.push(invalid(path.child(field), count(status, field), 'cannot be greater than status.replicas'));
  }
  const available = count(status, 'availableReplicas');
  if (available > count(status, 'readyReplicas')) {
    errors.push(invalid(path.child('availableReplicas'), available, `cannot be greater than ${ready}`));
  }
}

function checkCollisions(next: Counts, old: Counts, errors: Errors): void {
  const before = old['collisionCount'];
  const after = next['collisionCount'];
  const isDecremented = typeof before === 'number' && (typeof after !== 'number' || after < before);
  if (!isDecremented) return;
  errors.push(invalid(path.child('collisionCount'), after ?? 0, 'cannot be decremented'));
}

// Every status is an object of counts and lists; what is no number is not looked at.
const counts = (status: object): Counts => status as Counts;

export const validateDeploymentStatus = (
  { status }: appsV1.Deployment,
  old: appsV1.Deployment,
): readonly FieldError[] =>
  collect((errors) => {
    const own = counts(status);
    const parts = ['updatedReplicas', 'readyReplicas', 'availableReplicas'];
    const all = ['observedGeneration', 'replicas', ...parts, 'unavailableReplicas', 'terminatingReplicas'];
    checkCounts(own, [...all, 'collisionCount'], errors);
    checkWithinReplicas(own, parts, errors, 'readyReplicas');
    checkCollisions(own, counts(old.status), errors);
  });

export const validateReplicaSetStatus = ({
  status,
}: appsV1.ReplicaSet | coreV1.ReplicationController): readonly FieldError[] =>
  collect((errors) => {
    const parts = ['fullyLabeledReplicas', 'readyReplicas', 'availableReplicas'];
    checkCounts(counts(status), ['replicas', ...parts, 'observedGeneration', 'terminatingReplicas'], errors);
    checkWithinReplicas(counts(status), parts, errors, 'readyReplicas');
  });

export const validateStatefulSetStatus = (
  { status }: appsV1.StatefulSet,
  old: appsV1.StatefulSet,
): readonly FieldError[] =>
  collect((errors) => {
    const own = counts(status);
    const parts = ['readyReplicas', 'currentReplicas', 'updatedReplicas', 'availableReplicas'];
    checkCounts(own, ['replicas', ...parts, 'observedGeneration', 'collisionCount'], errors);
    checkWithinReplicas(own, parts, errors, 'status.readyReplicas');
    checkCollisions(own, counts(old.status), errors);
  });

const DAEMON_SET_COUNTS = [
  'currentNumberScheduled',
  'numberMisscheduled',
  'desiredNumberScheduled',
  'numberReady',
  'observedGeneration',
  'updatedNumberScheduled',
  'numberAvailable',
  'numberUnavailable',
  'collisionCount',
];

export const validateDaemonSetStatus = (
  { status }: appsV1.DaemonSet,
  old: appsV1.DaemonSet,
): readonly FieldError[] =>
  collect((errors) => {
    checkCounts(counts(status), DAEMON_SET_COUNTS, errors);
    checkCollisions(counts(status), counts(old.status), errors);
  });
