import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeObject, type KubeObject, parseApiVersion } from '#machinery';
import { schemaOf } from '../schema/schema-table.ts';
import { convert } from './convert.ts';
import { selectableFieldName } from './events.ts';

function make(apiVersion: string, kind: string, fields: object): KubeObject {
  const schema = schemaOf({ ...parseApiVersion(apiVersion), kind });
  assert.ok(schema);
  const input = { kind, apiVersion, metadata: { name: 'a' }, ...fields };
  const { object, problems } = decodeObject(schema, input, { fieldValidation: 'Strict' });
  assert.deepEqual(problems, []);
  return object;
}
const to = (object: KubeObject, apiVersion: string): KubeObject =>
  convert(object, parseApiVersion(apiVersion));

test('versions of one shape differ in name only', () => {
  const object = make('networking.k8s.io/v1beta1', 'ServiceCIDR', { spec: { cidrs: ['10.0.0.0/8'] } });
  const converted = to(object, 'networking.k8s.io/v1');
  assert.deepEqual(converted, { ...object, apiVersion: 'networking.k8s.io/v1' });
  assert.equal(to(converted, 'networking.k8s.io/v1'), converted);
});

test('field selectors of events.k8s.io go by its own names', () => {
  const field = (group: string, name: string): string | undefined =>
    selectableFieldName({ group, kind: 'Event' }, name);
  assert.equal(field('events.k8s.io', 'regarding.name'), 'involvedObject.name');
  assert.equal(field('events.k8s.io', 'reportingController'), 'reportingComponent');
  assert.equal(field('events.k8s.io', 'involvedObject.name'), undefined);
  assert.equal(field('', 'involvedObject.name'), 'involvedObject.name');
});

test('an event has other names in events.k8s.io and comes back the same', () => {
  const event = make('v1', 'Event', {
    involvedObject: { kind: 'Pod', name: 'x' },
    reason: 'Started',
    message: 'it runs',
    source: { component: 'kubelet' },
    firstTimestamp: '2026-01-01T00:00:00Z',
    count: 3,
    type: 'Normal',
  });
  const other = to(event, 'events.k8s.io/v1');
  assert.equal(
    JSON.stringify(other),
    '{"kind":"Event","apiVersion":"events.k8s.io/v1","metadata":{"name":"a"},"eventTime":null,"reason":"Started",' +
      '"regarding":{"kind":"Pod","name":"x"},"note":"it runs","type":"Normal",' +
      '"deprecatedSource":{"component":"kubelet"},"deprecatedFirstTimestamp":"2026-01-01T00:00:00Z",' +
      '"deprecatedLastTimestamp":null,"deprecatedCount":3}',
  );
  assert.deepEqual(to(other, 'v1'), event);
});

const scaleTargetRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' };
const cpu = (averageUtilization: number): object => ({
  type: 'Resource',
  resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization } },
});

test('an autoscaler in v1 carries in annotations what v1 has no field for', () => {
  const memory = {
    type: 'Resource',
    resource: { name: 'memory', target: { type: 'AverageValue', averageValue: '1Gi' } },
  };
  const queue = {
    type: 'External',
    external: { metric: { name: 'q<1' }, target: { type: 'Value', value: '5' } },
  };
  const v2 = make('autoscaling/v2', 'HorizontalPodAutoscaler', {
    spec: {
      scaleTargetRef,
      maxReplicas: 3,
      metrics: [memory, queue, cpu(50)],
      behavior: {
        scaleUp: { selectPolicy: 'Min', policies: [{ type: 'Pods', value: 4, periodSeconds: 15 }] },
      },
    },
    status: { conditions: [{ type: 'AbleToScale', status: 'True', reason: 'r', message: 'm' }] },
  });
  const v1 = to(v2, 'autoscaling/v1');
  assert.deepEqual(v1['spec'], { scaleTargetRef, maxReplicas: 3, targetCPUUtilizationPercentage: 50 });
  assert.deepEqual(v1.metadata.annotations, {
    'autoscaling.alpha.kubernetes.io/behavior':
      '{"ScaleUp":{"StabilizationWindowSeconds":null,"SelectPolicy":"Min",' +
      '"Policies":[{"Type":"Pods","Value":4,"PeriodSeconds":15}],"Tolerance":null},"ScaleDown":null}',
    'autoscaling.alpha.kubernetes.io/conditions':
      '[{"type":"AbleToScale","status":"True","lastTransitionTime":null,"reason":"r","message":"m"}]',
    'autoscaling.alpha.kubernetes.io/metrics':
      '[{"type":"Resource","resource":{"name":"memory","targetAverageValue":"1Gi"}},' +
      '{"type":"External","external":{"metricName":"q\\u003c1","targetValue":"5"}}]',
  });
  assert.deepEqual(to(v1, 'autoscaling/v2'), v2);
});

test('an autoscaler in v1 without any metric scales on CPU', () => {
  const v1 = make('autoscaling/v1', 'HorizontalPodAutoscaler', { spec: { scaleTargetRef, maxReplicas: 3 } });
  const metadata = { name: 'a', annotations: { 'autoscaling.alpha.kubernetes.io/metrics': 'not json' } };
  for (const object of [v1, { ...v1, metadata }]) {
    const v2 = to(object, 'autoscaling/v2');
    assert.deepEqual((v2['spec'] as { metrics: unknown }).metrics, [cpu(80)]);
    assert.deepEqual(v2.metadata, { name: 'a' });
  }
});

test('resource claims, templates and slices of v1beta1 come back the same', () => {
  const requests = [
    { name: 'r', deviceClassName: 'gpu', allocationMode: 'ExactCount', count: 2 },
    { name: 's', firstAvailable: [{ name: 'x', deviceClassName: 'gpu', allocationMode: 'All' }] },
  ];
  const spec = { devices: { requests } };
  const claim = make('resource.k8s.io/v1beta1', 'ResourceClaim', { spec });
  const converted = to(claim, 'resource.k8s.io/v1');
  assert.deepEqual((converted['spec'] as typeof spec).devices.requests[0], {
    name: 'r',
    exactly: { deviceClassName: 'gpu', allocationMode: 'ExactCount', count: 2 },
  });
  assert.deepEqual(to(converted, 'resource.k8s.io/v1beta1'), claim);
  const template = make('resource.k8s.io/v1beta1', 'ResourceClaimTemplate', { spec: { spec } });
  assert.deepEqual(to(to(template, 'resource.k8s.io/v1beta2'), 'resource.k8s.io/v1beta1'), template);
  const slice = make('resource.k8s.io/v1beta1', 'ResourceSlice', {
    spec: {
      driver: 'd',
      pool: { name: 'p', generation: 1, resourceSliceCount: 1 },
      nodeName: 'n',
      devices: [{ name: 'd0', basic: { capacity: { memory: { value: '1Gi' } } } }],
    },
  });
  assert.deepEqual(to(to(slice, 'resource.k8s.io/v1'), 'resource.k8s.io/v1beta1'), slice);
});
