/** Nodes. */
import {
  deepEqual,
  duplicate,
  type FieldError,
  FieldPath,
  fieldForbidden,
  invalid,
  required,
  validateLabelValue,
} from '#machinery';
import type { coreV1 } from '../../types/index.ts';
import { collect, type Errors, sortedEntries } from '../field-rules.ts';
import { checkLegacyCidr, isDualStack } from '../ip-rules.ts';
import { checkQualifiedName } from '../metadata-rules.ts';
import { checkTaintEffect } from '../pod/validation/scheduling.ts';
import { checkResourceQuantity } from '../resource-rules.ts';

type Node = coreV1.Node;

// Upstream looks at the spec's taints, but names the path of the metadata.
const taintsPath = new FieldPath('metadata.taints');
const specPath = new FieldPath('spec');
const statusPath = new FieldPath('status');

function checkTaints(taints: readonly coreV1.Taint[], errors: Errors): void {
  const seen = new Set<string>();
  for (const [i, taint] of taints.entries()) {
    const path = taintsPath.index(i);
    const { key, value = '', effect } = taint;
    checkQualifiedName(key, path.child('key'), errors);
    const messages = validateLabelValue(value);
    if (messages.length > 0) errors.push(invalid(path.child('value'), value, messages.join(';')));
    if ((effect as string) === '') errors.push(required(path.child('effect')));
    else checkTaintEffect(effect, path.child('effect'), errors);
    const id = `${effect} ${key}`;
    if (seen.has(id)) {
      const printed = { Key: key, Value: value, Effect: effect, TimeAdded: taint.timeAdded ?? null };
      const error = duplicate(path, printed);
      errors.push({ ...error, body: `${error.body}: taints must be unique by key and effect pair` });
    }
    seen.add(id);
  }
}

function checkResources({ status }: Node, errors: Errors): void {
  for (const field of ['capacity', 'allocatable'] as const) {
    for (const [name, quantity] of sortedEntries(status[field])) {
      checkResourceQuantity(name, quantity, statusPath.child(field, name), errors);
    }
  }
}

const FEATURE = /^[A-Z][a-zA-Z0-9]*(\/[a-zA-Z][a-zA-Z0-9]*)*$/;

function checkFeatures({ status }: Node, errors: Errors): void {
  const features = status.declaredFeatures ?? [];
  for (const [i, feature] of features.entries()) {
    const path = statusPath.child('declaredFeatures').index(i);
    if (!FEATURE.test(feature)) {
      const why = `invalid feature name ${JSON.stringify(feature)}: must start with an UpperCamelCase segment, with subsequent segments separated by '/' (e.g., MyFeature or MyFeature/mySubFeature), and contain only alphanumeric characters and slashes`;
      errors.push(invalid(path, feature, why));
    }
    const next = features[i + 1];
    const nextPath = statusPath.child('declaredFeatures').index(i + 1);
    if (next === undefined) continue;
    if (feature === next) errors.push(duplicate(nextPath, next));
    else if (feature > next) errors.push(invalid(nextPath, next, 'list must be sorted alphabetically'));
  }
}

function checkNode(node: Node, errors: Errors): void {
  checkTaints(node.spec.taints ?? [], errors);
  checkResources(node, errors);
  const swap = node.status.nodeInfo?.swap?.capacity;
  if (swap !== undefined && swap <= 0) {
    errors.push(invalid('metadata.nodeSwapStatus.capacity', swap, 'must be greater than zero'));
  }
  checkFeatures(node, errors);
  const cidrs = node.spec.podCIDRs ?? [];
  const path = specPath.child('podCIDRs');
  for (const [i, cidr] of cidrs.entries()) checkLegacyCidr(cidr, path.index(i), errors);
  if (cidrs.length > 1 && (cidrs.length > 2 || !isDualStack(cidrs))) {
    errors.push(invalid(path, cidrs, 'may specify no more than one CIDR for each IP family'));
  }
}

function checkNodeUpdate(node: Node, old: Node, errors: Errors): void {
  checkResources(node, errors);
  checkFeatures(node, errors);
  const seen = new Set<string>();
  for (const [i, { type, address }] of (node.status.addresses ?? []).entries()) {
    const key = `${type} ${address}`;
    if (seen.has(key)) {
      const printed = { Type: type, Address: address };
      errors.push(duplicate(statusPath.child('addresses').index(i), printed));
    }
    seen.add(key);
  }
  const cidrs = old.spec.podCIDRs ?? [];
  const only = 'except from "" to valid';
  if (cidrs.length > 0 && !deepEqual(cidrs, node.spec.podCIDRs ?? [])) {
    const why = `node updates may not change podCIDR ${only}`;
    errors.push(fieldForbidden(specPath.child('podCIDRs'), why));
  }
  const { providerID = '' } = old.spec;
  if (providerID !== '' && providerID !== node.spec.providerID) {
    const why = `node updates may not change providerID ${only}`;
    errors.push(fieldForbidden(specPath.child('providerID'), why));
  }
  checkTaints(node.spec.taints ?? [], errors);
  if ((node.spec.externalID ?? '') !== (old.spec.externalID ?? '')) {
    errors.push(fieldForbidden(specPath.child('externalID'), 'may not be updated'));
  }
}

export const validateNode = (node: Node): readonly FieldError[] =>
  collect((errors) => checkNode(node, errors));

export const validateNodeUpdate = (node: Node, old: Node): readonly FieldError[] =>
  collect((errors) => {
    checkNode(node, errors);
    checkNodeUpdate(node, old, errors);
  });

export const validateNodeStatus = (node: Node, old: Node): readonly FieldError[] =>
  collect((errors) => checkNodeUpdate(node, old, errors));
