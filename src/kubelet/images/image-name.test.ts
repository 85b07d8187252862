import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseImageName, withDefaultTag } from './image-name.ts';
import { credentialsFor } from './pull-secrets.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;

test('Image names are split into registry, path, tag and digest', () => {
  const parts = (text: string): unknown => {
    const name = parseImageName(text);
    return name === undefined ? undefined : [name.registry, name.path, name.tag, name.digest];
  };
  assert.deepEqual(parts('busybox'), ['docker.io', 'library/busybox', undefined, undefined]);
  assert.deepEqual(parts('user/app:1'), ['docker.io', 'user/app', '1', undefined]);
  assert.deepEqual(parts('localhost/app'), ['localhost', 'app', undefined, undefined]);
  assert.deepEqual(parts('10.0.0.1:5000/a/b:v1'), ['10.0.0.1:5000', 'a/b', 'v1', undefined]);
  assert.deepEqual(parts(`ghcr.io/a/b@${DIGEST}`), ['ghcr.io', 'a/b', undefined, DIGEST]);
  for (const bad of ['Busybox', 'a b', '', 'a:', 'a@sha256:1', '/a'])
    assert.equal(parts(bad), undefined, bad);
});

test('A name without tag and digest means latest', () => {
  assert.equal(withDefaultTag('busybox'), 'busybox:latest');
  assert.equal(withDefaultTag('10.0.0.1:5000/a'), '10.0.0.1:5000/a:latest');
  assert.equal(withDefaultTag('busybox:1'), 'busybox:1');
  assert.equal(withDefaultTag(`busybox@${DIGEST}`), `busybox@${DIGEST}`);
});

const secret = (auths: object): Parameters<typeof credentialsFor>[1][number] => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 's', uid: 'u', resourceVersion: '1', creationTimestamp: '' },
  data: { '.dockerconfigjson': Buffer.from(JSON.stringify({ auths })).toString('base64') },
});

test('The most specific credentials for a registry are used', () => {
  const secrets = [
    secret({ 'ghcr.io': { username: 'wide', password: 'w' } }),
    secret({ 'https://ghcr.io/team': { auth: Buffer.from('narrow:a:b').toString('base64') } }),
  ];
  assert.deepEqual(credentialsFor('ghcr.io/team/app', secrets), { username: 'narrow', password: 'a:b' });
  assert.deepEqual(credentialsFor('ghcr.io/other', secrets), { username: 'wide', password: 'w' });
  assert.equal(credentialsFor('quay.io/other', secrets), undefined);
});

test('Docker Hub is known by its old address, and stars stand for one label', () => {
  const hub = [secret({ 'https://index.docker.io/v1/': { username: 'me', password: 'p' } })];
  assert.deepEqual(credentialsFor('busybox', hub), { username: 'me', password: 'p' });
  const starred = [secret({ '*.example.com': { username: 'me', password: 'p' } })];
  assert.notEqual(credentialsFor('a.example.com/app', starred), undefined);
  assert.equal(credentialsFor('a.b.example.com/app', starred), undefined);
});

test('A broken secret is passed over', () => {
  const broken = { ...secret({}), data: { '.dockerconfigjson': 'bm90IGpzb24=' } };
  assert.equal(credentialsFor('busybox', [broken]), undefined);
});
