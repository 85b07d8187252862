/**
 * What types and fields mean, one sentence each: what `kubectl explain` prints. The sentences are our own.
 * Types without an entry are still described as far as their common fields go.
 */
import appsV1 from './descriptions/apps-v1.json' with { type: 'json' };
import coreV1 from './descriptions/core-v1.json' with { type: 'json' };
import metaV1 from './descriptions/meta-v1.json' with { type: 'json' };

/** Field → sentence; the type's own under ''. */
type TypeDescriptions = Readonly<Record<string, string>>;

const PACKAGES: Readonly<Record<string, Readonly<Record<string, TypeDescriptions>>>> = {
  'io.k8s.api.apps.v1': appsV1,
  'io.k8s.api.core.v1': coreV1,
  'io.k8s.apimachinery.pkg.apis.meta.v1': metaV1,
};

const COMMON_FIELDS: TypeDescriptions = {
  apiVersion: 'APIVersion defines the version of the schema the object is written in, as group/version.',
  kind: 'Kind is the name of the type the object has.',
};
const OBJECT_FIELDS: TypeDescriptions = {
  metadata: "Standard object's metadata: name, labels and whatever else identifies it.",
  spec: 'Desired state.',
  status: 'Current state, as it was last observed.',
  items: 'The objects of the list.',
};

/** @param typeName OpenAPI name: `io.k8s.api.core.v1.Pod`. */
export function describeType(typeName: string): string | undefined {
  return entryOf(typeName)?.[''];
}

/** @param isObject whether the type has apiVersion and kind, so that its `spec` is the usual one. */
export function describeField(typeName: string, field: string, isObject: boolean): string | undefined {
  return (
    entryOf(typeName)?.[field] ?? (isObject ? (COMMON_FIELDS[field] ?? OBJECT_FIELDS[field]) : undefined)
  );
}

function entryOf(typeName: string): TypeDescriptions | undefined {
  const dot = typeName.lastIndexOf('.');
  const types = PACKAGES[typeName.slice(0, dot)];
  const short = typeName.slice(dot + 1);
  return types !== undefined && Object.hasOwn(types, short) ? types[short] : undefined;
}
