/** Columns and cells that many kinds share. */
import type { coreV1, metaV1 } from '../types/index.ts';
import { since } from './human-duration.ts';
import type { KindColumn } from './define-kind.ts';

interface Named {
  readonly metadata: Pick<metaV1.ObjectMeta, 'name' | 'creationTimestamp'>;
}

export const nameColumn: KindColumn<Named> = {
  name: 'Name',
  format: 'name',
  description: 'The name, unique among its kind in the namespace.',
  cell: (object) => object.metadata.name,
};

export const ageColumn: KindColumn<Named> = {
  name: 'Age',
  description: 'How long ago it was created.',
  cell: (object, nowMs) => since(object.metadata.creationTimestamp, nowMs),
};

/** `<none>` for nothing, as kubectl shows it. */
export const orNone = (text: string | undefined): string =>
  text === undefined || text === '' ? '<none>' : text;

/** `a=1,b=2` sorted by key; `<none>` when there are none. */
export function formatLabels(labels: Readonly<Record<string, string>> | undefined): string {
  return orNone(
    Object.entries(labels ?? {})
      .map(([key, value]) => `${key}=${value}`)
      .sort()
      .join(','),
  );
}

function formatRequirement({ key, operator, values = [] }: metaV1.LabelSelectorRequirement): string {
  const list = [...values].sort().join(',');
  const texts: Readonly<Record<string, string>> = {
    In: `${key} in (${list})`,
    NotIn: `${key} notin (${list})`,
    Exists: key,
    DoesNotExist: `!${key}`,
  };
  return texts[operator] ?? key;
}

/** A label selector as kubectl prints it: `a=1,tier in (x,y)`; everything is `<none>`. */
export function formatSelector(selector: metaV1.LabelSelector | undefined): string {
  if (selector === undefined) return '<none>';
  const parts = [
    ...Object.entries(selector.matchLabels ?? {}).map(([key, value]) => ({ key, text: `${key}=${value}` })),
    ...(selector.matchExpressions ?? []).map((r) => ({ key: r.key, text: formatRequirement(r) })),
  ];
  return orNone(
    parts
      .sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
      .map((part) => part.text)
      .join(','),
  );
}

/** Wide columns of everything that has a pod template. */
export function templateColumns<T>(
  template: (object: T) => coreV1.PodTemplateSpec | undefined,
): KindColumn<T>[] {
  const containers = (object: T): readonly coreV1.Container[] => template(object)?.spec?.containers ?? [];
  return [
    {
      name: 'Containers',
      description: 'Names of the containers in the template.',
      wide: true,
      cell: (object) =>
        containers(object)
          .map((c) => c.name)
          .join(','),
    },
    {
      name: 'Images',
      description: 'Images of the containers in the template.',
      wide: true,
      cell: (object) =>
        containers(object)
          .map((c) => c.image ?? '')
          .join(','),
    },
  ];
}
