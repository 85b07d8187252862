/**
 * Defaults that hold for a field of a type whoever owns it and whatever else is set. Conditional and derived ones
 * (a fourth column in the facts) are code: `KindBehaviour.setDefaults`.
 */
import { type DefaultRow, schemaFacts } from './facts.ts';

/**
 * Rows that say more than a constant can: those of a Pod's and a Job's spec do not hold for the same types in a
 * template, and a StatefulSet whose strategy has no type gets a partition along with it.
 */
const NOT_FOR_THE_TYPE = new Set([
  'core/v1.Pod.spec enableServiceLinks',
  'batch/v1.Job.spec parallelism',
  'batch/v1.Job.spec backoffLimit',
  'batch/v1.Job.spec completionMode',
  'batch/v1.Job.spec suspend',
  'apps/v1.StatefulSet.spec updateStrategy.type',
]);

/** Older served versions repeat the rows of v1; the facts list v1 only. */
const FURTHER_ROWS: readonly DefaultRow[] = [
  ...['admissionregistration/v1', 'admissionregistration/v1beta1', 'admissionregistration/v1alpha1'].flatMap(
    (pkg): DefaultRow[] => [
      [`${pkg}.MutatingAdmissionPolicySpec`, 'failurePolicy', 'Fail'],
      [`${pkg}.MatchResources`, 'matchPolicy', 'Equivalent'],
      [`${pkg}.MatchResources`, 'namespaceSelector', {}],
      [`${pkg}.MatchResources`, 'objectSelector', {}],
    ],
  ),
  ['admissionregistration/v1alpha1.ParamRef', 'parameterNotFoundAction', 'Deny'],
  ['apps/v1.StatefulSetPersistentVolumeClaimRetentionPolicy', 'whenDeleted', 'Retain'],
  ['apps/v1.StatefulSetPersistentVolumeClaimRetentionPolicy', 'whenScaled', 'Retain'],
  ['batch/v1.PodFailurePolicyOnPodConditionsPattern', 'status', 'True'],
  ['resource/v1beta1.DeviceSubRequest', 'allocationMode', 'ExactCount'],
  ['resource/v1beta2.ExactDeviceRequest|DeviceSubRequest', 'allocationMode', 'ExactCount'],
  ['storage/v1.CSIDriverSpec', 'seLinuxMount', false],
];

/** The type of a field, for `Service` + `spec` → `core/v1.ServiceSpec`. Embedded structs are looked into. */
function fieldType(typeId: string, name: string): string | undefined {
  for (const [rowName, type, flags] of schemaFacts.t[typeId]?.[0] ?? []) {
    if (rowName === name) return type.startsWith('#') ? type.slice(1) : undefined;
    if (rowName === '' && flags.includes('I')) {
      const found = fieldType(type.slice(1), name);
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

/** `core/v1.Service.spec` → `core/v1.ServiceSpec`; `p/v1.A|B` → both. */
function ownerTypes(owner: string): string[] {
  const dot = owner.indexOf('.');
  const pkg = owner.slice(0, dot);
  return owner
    .slice(dot + 1)
    .split('|')
    .map((path) => {
      const [type = '', ...fields] = path.split('.');
      return fields.reduce<string>((id, field) => fieldType(id, field) ?? '', `${pkg}.${type}`);
    });
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

let table: ReadonlyMap<string, unknown> | undefined;

function build(): ReadonlyMap<string, unknown> {
  const map = new Map<string, unknown>();
  for (const [owner, path, value, when] of [...schemaFacts.defaults, ...FURTHER_ROWS]) {
    if (when !== undefined || NOT_FOR_THE_TYPE.has(`${owner} ${path}`)) continue;
    for (const type of ownerTypes(owner)) {
      if (path === '*' && isObject(value)) {
        for (const [field, fieldValue] of Object.entries(value)) map.set(`${type} ${field}`, fieldValue);
        continue;
      }
      const fields = path.split('.');
      const last = fields.pop() ?? '';
      const holder = fields.reduce<string>((id, field) => fieldType(id, field) ?? '', type);
      map.set(`${holder} ${last}`, value);
    }
  }
  return map;
}

/** The constant default of a field by the facts' name of the type that declares it. */
export function constantDefault(typeId: string, field: string): unknown {
  table ??= build();
  return table.get(`${typeId} ${field}`);
}
