import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseReference, referenceName } from './reference.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;

for (const [text, full] of [
  ['busybox', 'docker.io/library/busybox:latest'],
  ['busybox:1.36', 'docker.io/library/busybox:1.36'],
  ['user/app', 'docker.io/user/app:latest'],
  ['docker.io/busybox', 'docker.io/library/busybox:latest'],
  ['index.docker.io/user/app:v1', 'docker.io/user/app:v1'],
  ['localhost/app', 'localhost/app:latest'],
  ['localhost:5000/app:1', 'localhost:5000/app:1'],
  ['registry.k8s.io/pause:3.10', 'registry.k8s.io/pause:3.10'],
  ['host.example/a/b/c_d__e-f.g:T_1', 'host.example/a/b/c_d__e-f.g:T_1'],
  ['[::1]:5000/app', '[::1]:5000/app:latest'],
  [`busybox@${DIGEST}`, `docker.io/library/busybox@${DIGEST}`],
  [`host.example:443/app:v1@${DIGEST}`, `host.example:443/app@${DIGEST}`],
] as const) {
  test(`${text} is ${full}`, () => assert.equal(referenceName(parseReference(text)), full));
}

for (const text of [
  '',
  'UPPER',
  'a b',
  'app:',
  'app:-x',
  `app@sha256:abc`,
  'app@',
  '/app',
  'a//b',
  'app:tag:tag',
  '-bad.host/app',
]) {
  test(`"${text}" is no image name`, () => {
    assert.throws(
      () => parseReference(text),
      new RegExp(`couldn't parse image name "${text.replaceAll('/', '\\/')}": invalid reference format`),
    );
  });
}
