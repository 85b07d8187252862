import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSameTemplate, templateHash } from './template-hash.ts';

const template = {
  metadata: { labels: { app: 'web' } },
  spec: { containers: [{ name: 'c', image: 'web:1' }] },
};

test('equal templates have one hash, whatever the order of their fields', () => {
  const turned = {
    spec: { containers: [{ image: 'web:1', name: 'c' }] },
    metadata: { labels: { app: 'web' } },
  };
  assert.equal(templateHash(template, undefined), templateHash(turned, undefined));
  assert.match(templateHash(template, undefined), /^[bcdfghjklmnpqrstvwxz2456789]{1,10}$/);
});

test('a collision count gives the same template another hash', () => {
  assert.notEqual(templateHash(template, undefined), templateHash(template, 1));
  assert.notEqual(templateHash(template, 1), templateHash(template, 2));
});

test('templates are compared without the hash label', () => {
  const labelled = { ...template, metadata: { labels: { app: 'web', 'pod-template-hash': 'abc' } } };
  assert.equal(isSameTemplate(labelled, template), true);
  assert.equal(
    isSameTemplate({ ...labelled, spec: { containers: [{ name: 'c', image: 'web:2' }] } }, template),
    false,
  );
});
