/** Query parameters as the options they stand for. */
import {
  badRequest,
  type DeleteOptions,
  type FieldValidation,
  type GetOptions,
  invalidObject,
  type ListOptions,
  notSupported,
  type PatchOptions,
  type PropagationPolicy,
  type WatchOptions,
} from '#machinery';

type Query = URLSearchParams;

const text = (query: Query, name: string): string | undefined => query.get(name) ?? undefined;

function integer(query: Query, name: string): number | undefined {
  const value = query.get(name);
  if (value === null || value === '') return undefined;
  if (!/^-?\d+$/.test(value)) {
    throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(value)}: invalid syntax`);
  }
  const number = Number(value);
  // Above 2^63 for Go, above 2^53 here: no count is between them.
  if (!Number.isSafeInteger(number)) {
    throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(value)}: value out of range`);
  }
  return number;
}

/** As Go reads booleans of a query: anything but `false` and `0` is true, also nothing at all. */
function flag(query: Query, name: string): boolean | undefined {
  const value = query.get(name);
  if (value === null) return undefined;
  return value.toLowerCase() !== 'false' && value !== '0';
}

export const isWatchQuery = (query: Query): boolean => flag(query, 'watch') === true;

export function getOptions(query: Query): GetOptions {
  const resourceVersion = text(query, 'resourceVersion');
  return resourceVersion === undefined ? {} : { resourceVersion };
}

/** With what a list must not have, for the check to refuse. */
export function listOptions(query: Query): ListOptions & Pick<WatchOptions, 'sendInitialEvents'> {
  if (query.size === 0) return {};
  return {
    labelSelector: text(query, 'labelSelector'),
    fieldSelector: text(query, 'fieldSelector'),
    limit: integer(query, 'limit'),
    continue: text(query, 'continue'),
    resourceVersion: text(query, 'resourceVersion'),
    resourceVersionMatch: text(query, 'resourceVersionMatch') as ListOptions['resourceVersionMatch'],
    timeoutSeconds: integer(query, 'timeoutSeconds'),
    sendInitialEvents: flag(query, 'sendInitialEvents'),
  };
}

export function watchOptions(query: Query): WatchOptions {
  return {
    ...listOptions(query),
    allowWatchBookmarks: flag(query, 'allowWatchBookmarks'),
  };
}

/** `kind`: of the options, for the message. */
export function writeOptions(query: Query, kind: string): PatchOptions {
  if (query.size === 0) return {};
  return {
    dryRun: dryRun(query.getAll('dryRun'), kind),
    fieldManager: text(query, 'fieldManager'),
    fieldValidation: text(query, 'fieldValidation') as FieldValidation | undefined,
    force: flag(query, 'force'),
  };
}

/** @throws StatusError 422 for anything but `All`. */
export function dryRun(values: readonly string[], kind: string): boolean {
  const bad = values.filter((value) => value !== 'All' && value !== '');
  if (bad.length > 0) {
    throw invalidObject({ group: 'meta.k8s.io', kind }, '', [notSupported('dryRun', values, ['All'])]);
  }
  return values.includes('All');
}

export function deleteOptions(query: Query): DeleteOptions {
  if (query.size === 0) return {};
  return {
    dryRun: dryRun(query.getAll('dryRun'), 'DeleteOptions'),
    gracePeriodSeconds: integer(query, 'gracePeriodSeconds'),
    propagationPolicy: text(query, 'propagationPolicy') as PropagationPolicy | undefined,
    orphanDependents: flag(query, 'orphanDependents'),
  };
}

/** From a decoded `DeleteOptions` body. */
export function deleteOptionsOf(body: Readonly<Record<string, unknown>>): DeleteOptions {
  const { gracePeriodSeconds, propagationPolicy, orphanDependents, preconditions } = body as DeleteOptions;
  return {
    dryRun: dryRun((body.dryRun as readonly string[] | undefined) ?? [], 'DeleteOptions'),
    gracePeriodSeconds: gracePeriodSeconds ?? undefined,
    propagationPolicy: propagationPolicy ?? undefined,
    orphanDependents: orphanDependents ?? undefined,
    preconditions: preconditions ?? undefined,
  };
}
