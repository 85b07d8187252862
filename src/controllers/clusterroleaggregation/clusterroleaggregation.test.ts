import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resources } from '#client';
import { startControllersFixture } from '../frame/controllers.fixture.ts';
import { clusterRoleAggregationController } from './index.ts';

test('an aggregated role has the rules of all roles it selects, each once, and follows them', async (t) => {
  const fixture = await startControllersFixture([clusterRoleAggregationController]);
  t.after(() => fixture.stop());
  const roles = fixture.client.resource(resources.clusterRoles);
  const pods = { apiGroups: [''], resources: ['pods'], verbs: ['get'] };
  const widgets = { apiGroups: ['example.com'], resources: ['widgets'], verbs: ['list'] };
  const labels = { 'example.com/aggregate': 'true' };
  await roles.create({ metadata: { name: 'b', labels }, rules: [pods] });
  await roles.create({ metadata: { name: 'a', labels }, rules: [widgets, pods] });
  await roles.create({
    metadata: { name: 'sum' },
    aggregationRule: { clusterRoleSelectors: [{ matchLabels: labels }] },
    rules: [],
  });
  await fixture.settle();
  assert.deepEqual((await roles.get('sum')).rules, [widgets, pods]);
  await roles.delete('a');
  await fixture.settle();
  assert.deepEqual((await roles.get('sum')).rules, [pods]);
  const { rules: view } = await roles.get('view');
  assert.ok(view?.some((rule) => rule.resources?.includes('pods') === true && rule.verbs.includes('watch')));
});
