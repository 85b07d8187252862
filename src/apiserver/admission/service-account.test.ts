import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { coreV1 } from '#api';
import type { KubeObject } from '#machinery';
import { seededRandom, VirtualClock } from '#testing';
import { typed } from '../typed-object.ts';
import { AdmissionHarness } from './admission.fixture.ts';
import { serviceAccountPlugin } from './service-account.ts';

const MOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';
const namespace = 'default';

function world() {
  const clock = new VirtualClock();
  const h = new AdmissionHarness({ clock, random: seededRandom(1) }, (options) => [
    serviceAccountPlugin(options),
  ]);
  const account = (name: string, fields: object = {}, annotations: object = {}) =>
    h.put('serviceaccounts', name, fields, { namespace, annotations });
  const admit = async (
    spec: object = {},
    metadata: object = {},
    signal?: AbortSignal,
  ): Promise<coreV1.PodSpec> => {
    const object: KubeObject = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'web', namespace, ...metadata },
      spec: { containers: [{ name: 'c' }], ...spec },
    };
    const admitted = await h.admit({ resource: 'pods', namespace, object, signal });
    assert.ok(admitted);
    return typed<coreV1.Pod>(admitted).spec;
  };
  return { clock, h, account, admit };
}

test('a pod that names no account gets the default one, with its token in every container', async () => {
  const { account, admit } = world();
  account('default');
  const spec = await admit({ initContainers: [{ name: 'i' }] });
  assert.equal(spec.serviceAccountName, 'default');
  assert.equal(spec.serviceAccount, 'default');
  const [volume] = spec.volumes ?? [];
  assert.match(volume?.name ?? '', /^kube-api-access-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
  assert.deepEqual(volume?.projected, {
    sources: [
      { serviceAccountToken: { expirationSeconds: 3607, path: 'token' } },
      { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
      {
        downwardAPI: {
          items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }],
        },
      },
    ],
    defaultMode: 420,
  });
  const mounts = [{ name: volume?.name, readOnly: true, mountPath: MOUNT }];
  assert.deepEqual(spec.containers, [{ name: 'c', volumeMounts: mounts }]);
  assert.deepEqual(spec.initContainers, [{ name: 'i', volumeMounts: mounts }]);
});

test('pod, then account, decide whether the token is mounted', async () => {
  const { account, admit } = world();
  account('default', { automountServiceAccountToken: false });
  assert.equal((await admit()).volumes, undefined);
  assert.equal((await admit({ automountServiceAccountToken: true })).volumes?.length, 1);
  account('default');
  assert.equal((await admit({ automountServiceAccountToken: false })).volumes, undefined);
});

test('a container that mounts something there keeps it, and a volume that is there is used', async () => {
  const { account, admit } = world();
  account('default');
  const own = [{ name: 'c', volumeMounts: [{ name: 'mine', mountPath: MOUNT }] }];
  const spec = await admit({ containers: own });
  assert.deepEqual([spec.containers, spec.volumes], [own, undefined]);
  const given = await admit({ volumes: [{ name: 'kube-api-access-abcde', emptyDir: {} }] });
  assert.equal(given.volumes?.length, 1);
  assert.equal(given.containers[0]?.volumeMounts?.[0]?.name, 'kube-api-access-abcde');
});

test('pull secrets of the account are taken unless the pod has its own', async () => {
  const { account, admit } = world();
  account('default', { imagePullSecrets: [{ name: 'a' }] });
  assert.deepEqual((await admit()).imagePullSecrets, [{ name: 'a' }]);
  assert.deepEqual((await admit({ imagePullSecrets: [{ name: 'b' }] })).imagePullSecrets, [{ name: 'b' }]);
});

test('an account that is not there is refused at once', async () => {
  const { admit } = world();
  await assert.rejects(admit({ serviceAccountName: 'ci' }), {
    code: 403,
    message:
      'pods "web" is forbidden: error looking up service account default/ci: serviceaccount "ci" not found',
  });
});

test('the default account of a new namespace is waited for', async () => {
  const { account, admit, clock } = world();
  const admitted = admit();
  await clock.settle();
  account('default');
  assert.equal((await admitted).serviceAccountName, 'default');
  assert.equal(clock.pendingTimers, 0);
});

test('the wait for it ends with time and with the request', async () => {
  const { admit, clock } = world();
  const message =
    'pods "web" is forbidden: error looking up service account default/default: serviceaccount "default" not found';
  const late = assert.rejects(admit(), { message });
  await clock.settle();
  await clock.advance(1500);
  await late;
  const request = new AbortController();
  const aborted = assert.rejects(admit({}, {}, request.signal), { message });
  await clock.settle();
  request.abort();
  await aborted;
  assert.equal(clock.pendingTimers, 0);
});

test('mirror pods have no account and no secrets', async () => {
  const { admit } = world();
  const mirror = { annotations: { 'kubernetes.io/config.mirror': 'x' } };
  assert.equal((await admit({}, mirror)).serviceAccountName, undefined);
  await assert.rejects(admit({ serviceAccountName: 'ci' }, mirror), {
    message: 'pods "web" is forbidden: a mirror pod may not reference service accounts',
  });
  await assert.rejects(admit({ volumes: [{ name: 'v', secret: { secretName: 's' } }] }, mirror), {
    message: 'pods "web" is forbidden: a mirror pod may not reference secrets',
  });
});

test('an account may limit its pods to the secrets it lists', async () => {
  const { account, admit } = world();
  account('ci', { secrets: [{ name: 'known' }] }, { 'kubernetes.io/enforce-mountable-secrets': 'true' });
  const serviceAccountName = 'ci';
  const volume = (secretName: string) => [{ name: 'v', secret: { secretName } }];
  assert.ok(await admit({ serviceAccountName, volumes: volume('known') }));
  await assert.rejects(admit({ serviceAccountName, volumes: volume('other') }), {
    message:
      'pods "web" is forbidden: volume with secret.secretName="other" is not allowed because service account ci does not reference that secret',
  });
  await assert.rejects(admit({ serviceAccountName, imagePullSecrets: [{ name: 'p' }] }), {
    message:
      'pods "web" is forbidden: imagePullSecrets[0].name="p" is not allowed because service account ci does not reference that imagePullSecret',
  });
});
