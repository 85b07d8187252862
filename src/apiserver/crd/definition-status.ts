/** Conditions of a CustomResourceDefinition: whether its names are free, and whether it is served. */
import type { apiextensionsV1 } from '#api';

type Definition = apiextensionsV1.CustomResourceDefinition;
type Status = apiextensionsV1.CustomResourceDefinitionStatus;
type Condition = apiextensionsV1.CustomResourceDefinitionCondition;
type Names = apiextensionsV1.CustomResourceDefinitionNames;

export const ESTABLISHED = 'Established';
export const NAMES_ACCEPTED = 'NamesAccepted';
export const TERMINATING = 'Terminating';

export function hasCondition(definition: Definition, type: string): boolean {
  return (definition.status.conditions ?? []).some((c) => c.type === type && c.status === 'True');
}

/** The status that the definition should have; the same reference when it has it. */
export function namedStatus(definition: Definition, others: readonly Definition[], now: string): Status {
  const { status } = definition;
  const { names } = definition.spec;
  const taken = others.flatMap((other) =>
    hasCondition(other, NAMES_ACCEPTED) ? [other.status.acceptedNames] : [],
  );
  const problem = conflictOf(names, taken);
  const accepted: Condition =
    problem === undefined
      ? { type: NAMES_ACCEPTED, status: 'True', reason: 'NoConflicts', message: 'no conflicts found' }
      : { type: NAMES_ACCEPTED, status: 'False', ...problem };
  let conditions = withCondition(status?.conditions ?? [], accepted, now);
  if (!conditions.some((c) => c.type === ESTABLISHED && c.status === 'True')) {
    const established: Condition =
      problem === undefined
        ? {
            type: ESTABLISHED,
            status: 'True',
            reason: 'InitialNamesAccepted',
            message: 'the initial names have been accepted',
          }
        : {
            type: ESTABLISHED,
            status: 'False',
            reason: 'NotAccepted',
            message: 'not all names are accepted',
          };
    conditions = withCondition(conditions, established, now);
  }
  const storage = definition.spec.versions.find((version) => version.storage)?.name;
  const stored = status?.storedVersions ?? [];
  return {
    ...status,
    conditions,
    acceptedNames: problem === undefined ? names : (status?.acceptedNames ?? { plural: '', kind: '' }),
    storedVersions: storage === undefined || stored.includes(storage) ? stored : [...stored, storage],
  };
}

export function terminatingStatus(definition: Definition, now: string): Status {
  const condition: Condition = {
    type: TERMINATING,
    status: 'True',
    reason: 'InstanceDeletionInProgress',
    message: 'CustomResource deletion is in progress',
  };
  return {
    ...definition.status,
    conditions: withCondition(definition.status?.conditions ?? [], condition, now),
  };
}

function withCondition(conditions: readonly Condition[], next: Condition, now: string): readonly Condition[] {
  const before = conditions.find(({ type }) => type === next.type);
  const isSame =
    before?.status === next.status && before.reason === next.reason && before.message === next.message;
  if (before !== undefined && isSame) return conditions;
  const lastTransitionTime = before?.status === next.status ? before.lastTransitionTime : now;
  const dated: Condition = {
    type: next.type,
    status: next.status,
    lastTransitionTime,
    ...(next.reason === undefined ? {} : { reason: next.reason }),
    ...(next.message === undefined ? {} : { message: next.message }),
  };
  return before === undefined
    ? [...conditions, dated]
    : conditions.map((condition) => (condition.type === next.type ? dated : condition));
}

function conflictOf(
  names: Names,
  taken: readonly Names[],
): { readonly reason: string; readonly message: string } | undefined {
  const resources = new Set(
    taken.flatMap(({ plural, singular, shortNames = [] }) => [plural, singular, ...shortNames]),
  );
  const kinds = new Set(taken.flatMap(({ kind, listKind }) => [kind, listKind]));
  const inUse = (reason: string, name: string) => ({
    reason,
    message: `${JSON.stringify(name)} is already in use`,
  });
  if (resources.has(names.plural)) return inUse('PluralConflict', names.plural);
  if (names.singular !== undefined && resources.has(names.singular))
    return inUse('SingularConflict', names.singular);
  const short = names.shortNames?.find((name) => resources.has(name));
  if (short !== undefined) return inUse('ShortNamesConflict', short);
  if (kinds.has(names.kind)) return inUse('KindConflict', names.kind);
  if (names.listKind !== undefined && kinds.has(names.listKind))
    return inUse('ListKindConflict', names.listKind);
  return undefined;
}
