/** NetworkPolicy. */
import {
  type FieldError,
  FieldPath,
  fieldForbidden,
  invalid,
  required,
  validatePortName,
  validatePortNumber,
} from '#machinery';
import type { networkingV1 } from '../../types/index.ts';
import { addInvalid, checkPresent, checkSupported, collect, type Errors } from '../field-rules.ts';
import { blockContains, parseBlock } from '../ip-address.ts';
import { checkLegacyCidr } from '../ip-rules.ts';
import { checkLabelSelector } from '../metadata-rules.ts';

const specPath = new FieldPath('spec');

type Policy = networkingV1.NetworkPolicy;
type Rule = {
  readonly ports?: readonly networkingV1.NetworkPolicyPort[];
  readonly from?: readonly networkingV1.NetworkPolicyPeer[];
  readonly to?: readonly networkingV1.NetworkPolicyPeer[];
};

const POLICY_TYPES = ['Ingress', 'Egress'];

export const validateNetworkPolicy = ({ spec }: Policy, old?: Policy): readonly FieldError[] =>
  collect((errors) => {
    checkLabelSelector(spec.podSelector, specPath.child('podSelector'), errors);
    const known = old === undefined ? [] : blocksOf(old);
    for (const [field, peers] of [
      ['ingress', 'from'],
      ['egress', 'to'],
    ] as const) {
      const rules: readonly Rule[] = spec[field] ?? [];
      for (const [i, rule] of rules.entries()) {
        const path = specPath.child(field).index(i);
        for (const [j, port] of (rule.ports ?? []).entries()) {
          checkPolicyPort(port, path.child('ports').index(j), errors);
        }
        for (const [j, peer] of (rule[peers] ?? []).entries()) {
          checkPeer(peer, known, path.child(peers).index(j), errors);
        }
      }
    }
    const types: readonly string[] = spec.policyTypes ?? [];
    const path = specPath.child('policyTypes');
    if (types.length > POLICY_TYPES.length) {
      errors.push(invalid(path, types, 'may not specify more than two policyTypes'));
      return;
    }
    for (const [i, type] of types.entries()) checkSupported(type, POLICY_TYPES, path.index(i), errors);
  });

const blocksOf = ({ spec }: Policy): readonly string[] =>
  [
    ...(spec.ingress ?? []).flatMap(({ from = [] }) => from),
    ...(spec.egress ?? []).flatMap(({ to = [] }) => to),
  ].flatMap(({ ipBlock }) => (ipBlock === undefined ? [] : [ipBlock.cidr, ...(ipBlock.except ?? [])]));

function checkPolicyPort(
  { protocol, port, endPort }: networkingV1.NetworkPolicyPort,
  at: FieldPath,
  errors: Errors,
): void {
  checkSupported(protocol, ['TCP', 'UDP', 'SCTP'], at.child('protocol'), errors);
  const endPath = at.child('endPort');
  if (port === undefined) {
    if (endPort !== undefined) {
      errors.push(invalid(endPath, endPort, 'may not be specified when `port` is not specified'));
    }
  } else if (typeof port === 'number') {
    addInvalid(validatePortNumber(port), at.child('port'), port, errors);
    if (endPort === undefined) return;
    if (endPort < port) errors.push(invalid(endPath, port, 'must be greater than or equal to `port`'));
    addInvalid(validatePortNumber(endPort), endPath, endPort, errors);
  } else {
    if (endPort !== undefined) {
      errors.push(invalid(endPath, endPort, 'may not be specified when `port` is non-numeric'));
    }
    addInvalid(validatePortName(port), at.child('port'), port, errors);
  }
}

function checkPeer(
  { podSelector, namespaceSelector, ipBlock }: networkingV1.NetworkPolicyPeer,
  known: readonly string[],
  at: FieldPath,
  errors: Errors,
): void {
  checkLabelSelector(podSelector, at.child('podSelector'), errors);
  checkLabelSelector(namespaceSelector, at.child('namespaceSelector'), errors);
  if (ipBlock !== undefined) checkBlock(ipBlock, known, at.child('ipBlock'), errors);
  const given = [podSelector, namespaceSelector, ipBlock].filter((part) => part !== undefined).length;
  if (given === 0) errors.push(required(at, 'must specify a peer'));
  else if (given > 1 && ipBlock !== undefined) {
    errors.push(fieldForbidden(at, 'may not specify both ipBlock and another peer'));
  }
}

function checkBlock(
  { cidr, except = [] }: networkingV1.IPBlock,
  known: readonly string[],
  at: FieldPath,
  errors: Errors,
): void {
  if (!checkPresent(cidr, at.child('cidr'), errors)) return;
  checkLegacyCidr(cidr, at.child('cidr'), errors, known);
  const outer = parseBlock(cidr);
  if (outer === undefined) return;
  for (const [i, text] of except.entries()) {
    const path = at.child('except').index(i);
    checkLegacyCidr(text, path, errors, known);
    const inner = parseBlock(text);
    if (inner === undefined || (blockContains(outer, inner) && inner.prefix > outer.prefix)) continue;
    errors.push(invalid(path, text, 'must be a strict subset of `cidr`'));
  }
}
