/**
 * `autoscaling/v1` and `v2`. What v1 has no field for (other metrics than CPU, behaviour, conditions) it carries in
 * annotations, as JSON.
 */
import { decodeObject } from '#machinery';
import { schemaByName } from '../schema/schema-table.ts';
import { type Fields, listIn, objectIn } from './fields.ts';
import { metricSpecV1, metricSpecV2, metricStatusV1, metricStatusV2 } from './hpa-metrics.ts';

const PREFIX = 'autoscaling.alpha.kubernetes.io/';
const METRICS = `${PREFIX}metrics`;
const CURRENT_METRICS = `${PREFIX}current-metrics`;
const CONDITIONS = `${PREFIX}conditions`;
const BEHAVIOR = `${PREFIX}behavior`;
const ROUND_TRIP_ANNOTATIONS = [
  METRICS,
  CURRENT_METRICS,
  CONDITIONS,
  BEHAVIOR,
  `${PREFIX}scale-down-tolerance`,
  `${PREFIX}scale-up-tolerance`,
];
const DEFAULT_CPU_UTILIZATION = 80;

const cpuMetric = (averageUtilization: unknown): Fields => ({
  type: 'Resource',
  resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization } },
});

function isCpuUtilization(metric: Fields): boolean {
  const resource = objectIn(metric, 'resource');
  return (
    metric['type'] === 'Resource' &&
    resource['name'] === 'cpu' &&
    objectIn(resource, 'target')['averageUtilization'] !== undefined
  );
}

function withoutRoundTrip(annotations: Fields): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(annotations).filter(([key]) => !ROUND_TRIP_ANNOTATIONS.includes(key)),
  );
}

function withAnnotations(object: Fields, annotations: Fields): Fields {
  const { annotations: _, ...metadata } = objectIn(object, 'metadata');
  return Object.keys(annotations).length === 0 ? metadata : { ...metadata, annotations };
}

/** As Go marshals it: in the order of the v1 types, and safe inside HTML. */
function goJson(value: unknown): string {
  return JSON.stringify(value).replaceAll(
    /[<>&\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function shaped(typeName: string, items: readonly Fields[]): readonly unknown[] {
  const schema = schemaByName(typeName);
  if (schema === undefined) return items;
  return items.map((item) => decodeObject(schema, item, { fieldValidation: 'Ignore' }).object);
}

export function autoscalerV1Of(v2: Fields): Fields {
  const spec = objectIn(v2, 'spec');
  const status = objectIn(v2, 'status');
  const metrics = listIn(spec, 'metrics');
  const annotations = withoutRoundTrip(objectIn(objectIn(v2, 'metadata'), 'annotations'));
  const others = metrics.filter((metric) => !isCpuUtilization(metric)).map(metricSpecV1);
  if (others.length > 0) annotations[METRICS] = goJson(shaped('autoscaling/v1.MetricSpec', others));
  const current = listIn(status, 'currentMetrics');
  if (current.length > 0) {
    annotations[CURRENT_METRICS] = goJson(shaped('autoscaling/v1.MetricStatus', current.map(metricStatusV1)));
  }
  if (spec['behavior'] !== undefined)
    annotations[BEHAVIOR] = goJson(behaviorToGo(objectIn(spec, 'behavior')));
  const conditions = listIn(status, 'conditions');
  if (conditions.length > 0) {
    annotations[CONDITIONS] = goJson(shaped('autoscaling/v1.HorizontalPodAutoscalerCondition', conditions));
  }
  const cpu = metrics.find(isCpuUtilization);
  return {
    ...v2,
    metadata: withAnnotations(v2, annotations),
    spec: {
      scaleTargetRef: spec['scaleTargetRef'],
      minReplicas: spec['minReplicas'],
      maxReplicas: spec['maxReplicas'],
      targetCPUUtilizationPercentage: objectIn(objectIn(cpu, 'resource'), 'target')['averageUtilization'],
    },
    status: { ...statusBase(status), currentCPUUtilizationPercentage: currentCpu(current) },
  };
}

const statusBase = (status: Fields): Fields => ({
  observedGeneration: status['observedGeneration'],
  lastScaleTime: status['lastScaleTime'],
  currentReplicas: status['currentReplicas'],
  desiredReplicas: status['desiredReplicas'],
});

function currentCpu(metrics: readonly Fields[]): unknown {
  let utilization: unknown;
  for (const metric of metrics) {
    const resource = objectIn(metric, 'resource');
    if (metric['type'] !== 'Resource' || resource['name'] !== 'cpu') continue;
    utilization = objectIn(resource, 'current')['averageUtilization'] ?? utilization;
  }
  return utilization;
}

export function autoscalerV2Of(v1: Fields): Fields {
  const spec = objectIn(v1, 'spec');
  const status = objectIn(v1, 'status');
  const annotations = objectIn(objectIn(v1, 'metadata'), 'annotations');
  const { targetCPUUtilizationPercentage: target } = spec;
  const { currentCPUUtilizationPercentage: current } = status;
  const metrics = [
    ...(annotationList(annotations, METRICS) ?? []).map(metricSpecV2),
    ...(target === undefined ? [] : [cpuMetric(target)]),
  ];
  const currentMetrics =
    annotationList(annotations, CURRENT_METRICS)?.map(metricStatusV2) ??
    (current === undefined
      ? undefined
      : [{ type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: current } } }]);
  return {
    ...v1,
    metadata: withAnnotations(v1, withoutRoundTrip(annotations)),
    spec: {
      scaleTargetRef: spec['scaleTargetRef'],
      minReplicas: spec['minReplicas'],
      maxReplicas: spec['maxReplicas'],
      metrics: metrics.length > 0 ? metrics : [cpuMetric(DEFAULT_CPU_UTILIZATION)],
      behavior: behaviorFromGo(annotationValue(annotations, BEHAVIOR)),
    },
    status: { ...statusBase(status), currentMetrics, conditions: annotationList(annotations, CONDITIONS) },
  };
}

/** Annotations anybody may have written: what cannot be read is as if it were not there. */
function annotationValue(annotations: Fields, key: string): unknown {
  const text = annotations[key];
  if (typeof text !== 'string') return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function annotationList(annotations: Fields, key: string): readonly Fields[] | undefined {
  const value = annotationValue(annotations, key);
  if (!Array.isArray(value)) return undefined;
  return value.filter(
    (item): item is Fields => typeof item === 'object' && item !== null && !Array.isArray(item),
  );
}

/** The behaviour annotation holds Go's field names, absent ones as null. */
function behaviorToGo(behavior: Fields): Fields {
  const rules = (name: string): Fields | null => {
    if (behavior[name] === undefined) return null;
    const rule = objectIn(behavior, name);
    return {
      StabilizationWindowSeconds: rule['stabilizationWindowSeconds'] ?? null,
      SelectPolicy: rule['selectPolicy'] ?? null,
      Policies:
        rule['policies'] === undefined
          ? null
          : listIn(rule, 'policies').map((policy) => ({
              Type: policy['type'],
              Value: policy['value'],
              PeriodSeconds: policy['periodSeconds'],
            })),
      Tolerance: rule['tolerance'] ?? null,
    };
  };
  return { ScaleUp: rules('scaleUp'), ScaleDown: rules('scaleDown') };
}

/** Go reads names without regard to case. */
function lowerFirst(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(lowerFirst);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, child]) => child !== null)
      .map(([key, child]) => [key.charAt(0).toLowerCase() + key.slice(1), lowerFirst(child)]),
  );
}

function behaviorFromGo(value: unknown): unknown {
  const behavior = lowerFirst(value);
  const hasRules =
    typeof behavior === 'object' && behavior !== null && ('scaleUp' in behavior || 'scaleDown' in behavior);
  return hasRules ? behavior : undefined;
}
