import assert from 'node:assert/strict';
import { test } from 'node:test';
import { enabledVersions, RuntimeConfigError } from './runtime-config.ts';

test('a version is enabled by its name, a stage by its own', () => {
  assert.deepEqual(enabledVersions(['resource.k8s.io/v1beta1=true']), ['resource.k8s.io/v1beta1']);
  const beta = enabledVersions(['api/beta=true']);
  assert.ok(beta.includes('certificates.k8s.io/v1beta1') && !beta.includes('certificates.k8s.io/v1alpha1'));
  assert.ok(enabledVersions(['api/all=true']).includes('certificates.k8s.io/v1alpha1'));
});

test('later entries win', () => {
  const enabled = enabledVersions(['api/all=true', 'storage.k8s.io/v1beta1=false']);
  assert.ok(!enabled.includes('storage.k8s.io/v1beta1'));
});

test('a version that does not exist is an error', () => {
  assert.throws(() => enabledVersions(['apps/v9=true']), RuntimeConfigError);
});
