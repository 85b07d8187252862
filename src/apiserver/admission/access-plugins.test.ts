import 'reflect-metadata';
import assert from 'node:assert/strict';
import { webcrypto } from 'node:crypto';
import { test } from 'node:test';
import * as x509 from '@peculiar/x509';
import type { KubeObject } from '#machinery';
import { seededRandom, VirtualClock } from '#testing';
import type { AuthorizationAttributes } from '../authorization/authorizer.ts';
import { AdmissionHarness } from './admission.fixture.ts';
import { certificateApproval, certificateSigning, certificateSubjectRestriction } from './certificates.ts';
import { rbacEscalation } from './rbac-escalation.ts';

const RBAC = 'rbac.authorization.k8s.io';
const jane = { name: 'jane', groups: ['dev'] };

function escalation() {
  const h = new AdmissionHarness({ clock: new VirtualClock(), random: seededRandom(1) }, (options) => [
    rbacEscalation(options),
  ]);
  const role = (name: string, fields: object, kind = 'ClusterRole'): KubeObject => ({
    apiVersion: `${RBAC}/v1`,
    kind,
    metadata: { name },
    rules: [],
    ...fields,
  });
  const binding = (roleName: string, kind = 'ClusterRole'): KubeObject => ({
    apiVersion: `${RBAC}/v1`,
    kind: 'ClusterRoleBinding',
    metadata: { name: 'b' },
    subjects: [{ kind: 'User', name: 'john' }],
    roleRef: { apiGroup: RBAC, kind, name: roleName },
  });
  /** Gives jane these rules. */
  const grant = (rules: object[]): void => {
    h.table.put({ group: RBAC, resource: 'clusterroles' }, role('own', { rules }));
    h.table.put(
      { group: RBAC, resource: 'clusterrolebindings' },
      {
        ...binding('own'),
        metadata: { name: 'own' },
        subjects: [{ kind: 'User', name: 'jane' }],
      },
    );
  };
  const allow = (wanted: Partial<AuthorizationAttributes>): void => {
    h.authorizer = {
      authorize: (asked) => ({
        verdict: Object.entries(wanted).every(([key, value]) => asked[key as 'verb'] === value)
          ? 'allow'
          : 'no-opinion',
        reason: '',
      }),
    };
  };
  const write = (object: KubeObject, more: object = {}) =>
    h.admit({ resource: `${object.kind.toLowerCase()}s.${RBAC}`, object, user: jane, ...more });
  return { h, role, binding, grant, allow, write };
}

const readPods = { verbs: ['get', 'list'], apiGroups: [''], resources: ['pods'] };
const missing = (what: string, rule = '{APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}') => ({
  code: 403,
  message: `${what} is forbidden: user "jane" (groups=["dev"]) is attempting to grant RBAC permissions not currently held:\n${rule}`,
});

test('nobody writes a role with rights they do not hold', async () => {
  const { role, grant, write } = escalation();
  const reader = role('reader', { rules: [readPods] });
  await assert.rejects(write(reader), missing(`clusterroles.${RBAC} "reader"`));
  grant([{ ...readPods, verbs: ['get'] }]);
  await assert.rejects(
    write(reader),
    missing(`clusterroles.${RBAC} "reader"`, '{APIGroups:[""], Resources:["pods"], Verbs:["list"]}'),
  );
  grant([{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }]);
  assert.ok(await write(reader));
});

test('a role that is bound but missing is told with the refusal', async () => {
  const { h, role, grant, write } = escalation();
  grant([]);
  h.table.delete({ group: RBAC, resource: 'clusterroles' }, '', 'own');
  await assert.rejects(
    write(role('reader', { rules: [readPods] })),
    missing(
      `clusterroles.${RBAC} "reader"`,
      `{APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}; resolution errors: [clusterroles.${RBAC} "own" not found]`,
    ),
  );
});

test('whoever may escalate, and system:masters, write any role', async () => {
  const { role, allow, write } = escalation();
  const reader = role('reader', { rules: [readPods] });
  assert.ok(await write(reader, { user: { name: 'root', groups: ['system:masters'] } }));
  allow({ verb: 'escalate', resource: 'clusterroles' });
  assert.ok(await write(reader));
});

test('nobody binds a role with rights they do not hold, unless they may bind it', async () => {
  const { h, role, binding, grant, allow, write } = escalation();
  await assert.rejects(write(binding('reader')), {
    code: 404,
    message: `clusterrolebindings.${RBAC} "reader" not found`,
  });
  h.table.put({ group: RBAC, resource: 'clusterroles' }, role('reader', { rules: [readPods] }));
  await assert.rejects(write(binding('reader')), missing(`clusterrolebindings.${RBAC} "b"`));
  allow({ verb: 'bind', resource: 'clusterroles', name: 'reader' });
  assert.ok(await write(binding('reader')));
  allow({ verb: 'none' });
  grant([readPods]);
  assert.ok(await write(binding('reader')));
});

test('only who holds everything may let a role gather others', async () => {
  const { role, grant, write } = escalation();
  const selectors = { clusterRoleSelectors: [{ matchLabels: { a: 'b' } }] };
  await assert.rejects(write(role('all', { aggregationRule: selectors })), {
    code: 403,
    message: `clusterroles.${RBAC} "all" is forbidden: must have cluster-admin privileges to use the aggregationRule`,
  });
  grant([
    { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
    { verbs: ['*'], nonResourceURLs: ['*'] },
  ]);
  assert.ok(await write(role('all', { aggregationRule: selectors })));
});

test('finalizers and owners of a role may change without its rights', async () => {
  const { role, write } = escalation();
  const oldObject = role('reader', { rules: [readPods] });
  const object = { ...oldObject, metadata: { name: 'reader', finalizers: ['x'] } };
  assert.ok(await write(object, { operation: 'UPDATE', oldObject }));
  const relabelled = { ...oldObject, metadata: { name: 'reader', labels: { a: 'b' } } };
  await assert.rejects(write(relabelled, { operation: 'UPDATE', oldObject }), { code: 403 });
});

const CSR = 'certificatesigningrequests.certificates.k8s.io';
const SIGNER = 'kubernetes.io/kube-apiserver-client';

async function request(subject: string): Promise<string> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const csr = await x509.Pkcs10CertificateRequestGenerator.create({
    name: subject,
    keys,
    signingAlgorithm: algorithm,
  });
  return Buffer.from(csr.toString('pem')).toString('base64');
}

function certificates() {
  const h = new AdmissionHarness({ clock: new VirtualClock(), random: seededRandom(1) }, (options) => [
    certificateApproval(options),
    certificateSigning(options),
    certificateSubjectRestriction,
  ]);
  const csr = (fields: { request?: string; status?: object } = {}): KubeObject => ({
    apiVersion: 'certificates.k8s.io/v1',
    kind: 'CertificateSigningRequest',
    metadata: { name: 'x' },
    spec: { signerName: SIGNER, request: fields.request ?? '' },
    status: fields.status ?? {},
  });
  const allow = (verb: string, name: string): void => {
    h.authorizer = {
      authorize: (asked) => ({
        verdict:
          asked.resource === 'signers' && asked.verb === verb && asked.name === name ? 'allow' : 'no-opinion',
        reason: '',
      }),
    };
  };
  return { h, csr, allow };
}

test('certificates are approved and signed by those who may use their signer', async () => {
  const { h, csr, allow } = certificates();
  const update = { operation: 'UPDATE', oldObject: csr(), name: 'x' } as const;
  const approve = () => h.admit({ ...update, resource: `${CSR}/approval`, object: csr() });
  const sign = () =>
    h.admit({ ...update, resource: `${CSR}/status`, object: csr({ status: { certificate: 'x' } }) });
  await assert.rejects(approve(), {
    code: 403,
    message: `${CSR} "x" is forbidden: user not permitted to approve requests with signerName "${SIGNER}"`,
  });
  await assert.rejects(sign(), {
    code: 403,
    message: `${CSR} "x" is forbidden: user not permitted to sign requests with signerName "${SIGNER}"`,
  });
  assert.ok(await h.admit({ ...update, resource: `${CSR}/status`, object: csr() }));
  allow('approve', SIGNER);
  assert.ok(await approve());
  allow('sign', 'kubernetes.io/*');
  assert.ok(await sign());
});

test('nobody asks the client signer for a certificate of system:masters', async () => {
  const { h, csr } = certificates();
  const ask = async (subject: string) =>
    h.admit({ resource: CSR, object: csr({ request: await request(subject) }) });
  assert.ok(await ask('O=dev, CN=jane'));
  await assert.rejects(ask('O=dev, O=system:masters, CN=jane'), {
    code: 403,
    message: `${CSR} "x" is forbidden: use of ${SIGNER} signer with system:masters group is not allowed`,
  });
  const garbage = Buffer.from('garbage').toString('base64');
  await assert.rejects(h.admit({ resource: CSR, object: csr({ request: garbage }) }), {
    message: `${CSR} "x" is forbidden: failed to parse CSR: PEM block type must be CERTIFICATE REQUEST`,
  });
  const broken = Buffer.from(
    '-----BEGIN CERTIFICATE REQUEST-----\nMIIB\n-----END CERTIFICATE REQUEST-----',
  ).toString('base64');
  await assert.rejects(h.admit({ resource: CSR, object: csr({ request: broken }) }), { code: 403 });
});
