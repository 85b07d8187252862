/** The metrics of an autoscaler as v1 keeps them in annotations (flat) and as v2 has them (a metric and a target). */
import { parseQuantity } from '#machinery';
import { type Fields, objectIn } from './fields.ts';

type Change = (source: Fields) => Fields;

/** A metric is one of five kinds, under a field of that name. */
function changing(changes: Readonly<Record<string, Change>>): Change {
  return (metric) => {
    const out: Record<string, unknown> = { type: metric['type'] };
    for (const [name, change] of Object.entries(changes)) {
      if (metric[name] !== undefined && metric[name] !== null) out[name] = change(objectIn(metric, name));
    }
    return out;
  };
}

const metricOf = (source: Fields): Fields => objectIn(source, 'metric');
const targetOf = (source: Fields): Fields => objectIn(source, 'target');
const currentOf = (source: Fields): Fields => objectIn(source, 'current');

export const metricSpecV1 = changing({
  resource: (source) => ({
    name: source['name'],
    targetAverageUtilization: targetOf(source)['averageUtilization'],
    targetAverageValue: targetOf(source)['averageValue'],
  }),
  containerResource: (source) => ({
    name: source['name'],
    container: source['container'],
    targetAverageUtilization: targetOf(source)['averageUtilization'],
    targetAverageValue: targetOf(source)['averageValue'],
  }),
  object: (source) => ({
    target: source['describedObject'],
    metricName: metricOf(source)['name'],
    selector: metricOf(source)['selector'],
    targetValue: targetOf(source)['value'],
    averageValue: targetOf(source)['averageValue'],
  }),
  pods: (source) => ({
    metricName: metricOf(source)['name'],
    selector: metricOf(source)['selector'],
    targetAverageValue: targetOf(source)['averageValue'],
  }),
  external: (source) => ({
    metricName: metricOf(source)['name'],
    metricSelector: metricOf(source)['selector'],
    targetValue: targetOf(source)['value'],
    targetAverageValue: targetOf(source)['averageValue'],
  }),
});

const utilizationTarget = (source: Fields): Fields => ({
  type: source['targetAverageUtilization'] === undefined ? 'AverageValue' : 'Utilization',
  averageValue: source['targetAverageValue'],
  averageUtilization: source['targetAverageUtilization'],
});

/** v1 cannot leave the value out and writes 0 for it, which means nothing beside an average. */
function objectTarget(source: Fields): Fields {
  const { targetValue, averageValue } = source;
  if (averageValue === undefined) return { type: 'Value', value: targetValue ?? '0' };
  const isZero = typeof targetValue !== 'string' || parseQuantity(targetValue).isZero();
  return { type: 'AverageValue', averageValue, ...(isZero ? {} : { value: targetValue }) };
}

export const metricSpecV2 = changing({
  resource: (source) => ({ name: source['name'], target: utilizationTarget(source) }),
  containerResource: (source) => ({
    name: source['name'],
    container: source['container'],
    target: utilizationTarget(source),
  }),
  object: (source) => ({
    describedObject: source['target'],
    target: objectTarget(source),
    metric: { name: source['metricName'], selector: source['selector'] },
  }),
  pods: (source) => ({
    metric: { name: source['metricName'], selector: source['selector'] },
    target: { type: 'AverageValue', averageValue: source['targetAverageValue'] ?? '0' },
  }),
  external: (source) => ({
    metric: { name: source['metricName'], selector: source['metricSelector'] },
    target: {
      type: source['targetValue'] === undefined ? 'AverageValue' : 'Value',
      value: source['targetValue'],
      averageValue: source['targetAverageValue'],
    },
  }),
});

export const metricStatusV1 = changing({
  resource: (source) => ({
    name: source['name'],
    currentAverageUtilization: currentOf(source)['averageUtilization'],
    currentAverageValue: currentOf(source)['averageValue'],
  }),
  containerResource: (source) => ({
    name: source['name'],
    container: source['container'],
    currentAverageUtilization: currentOf(source)['averageUtilization'],
    currentAverageValue: currentOf(source)['averageValue'],
  }),
  object: (source) => ({
    target: source['describedObject'],
    metricName: metricOf(source)['name'],
    selector: metricOf(source)['selector'],
    currentValue: currentOf(source)['value'],
    averageValue: currentOf(source)['averageValue'],
  }),
  pods: (source) => ({
    metricName: metricOf(source)['name'],
    selector: metricOf(source)['selector'],
    currentAverageValue: currentOf(source)['averageValue'],
  }),
  external: (source) => ({
    metricName: metricOf(source)['name'],
    metricSelector: metricOf(source)['selector'],
    currentValue: currentOf(source)['value'],
    currentAverageValue: currentOf(source)['averageValue'],
  }),
});

const utilizationCurrent = (source: Fields): Fields => ({
  averageValue: source['currentAverageValue'] ?? '0',
  averageUtilization: source['currentAverageUtilization'],
});

export const metricStatusV2 = changing({
  resource: (source) => ({ name: source['name'], current: utilizationCurrent(source) }),
  containerResource: (source) => ({
    name: source['name'],
    container: source['container'],
    current: utilizationCurrent(source),
  }),
  object: (source) => ({
    describedObject: source['target'],
    current: { value: source['currentValue'] ?? '0', averageValue: source['averageValue'] },
    metric: { name: source['metricName'], selector: source['selector'] },
  }),
  pods: (source) => ({
    metric: { name: source['metricName'], selector: source['selector'] },
    current: { averageValue: source['currentAverageValue'] ?? '0' },
  }),
  external: (source) => ({
    metric: { name: source['metricName'], selector: source['metricSelector'] },
    current: { value: source['currentValue'] ?? '0', averageValue: source['currentAverageValue'] },
  }),
});
