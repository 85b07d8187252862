/**
 * Lists with the resourceVersion semantics of the API (https://kubernetes.io/docs/reference/using-api/api-concepts):
 * unset: everything acknowledged so far; `0`: whatever is at hand; n: not older than n, or exactly n; pages of one
 * list all show the same revision, or fail with 410 when that is no longer held.
 */
import { badRequest, expired, type ListOptions, type Status, StatusError } from '#machinery';
import { CompactedError, FutureRevisionError, prefixEnd, type Revision } from '#store';
import type { CacheEntry } from './cache-entry.ts';
import { decodeContinueToken, encodeContinueToken } from './continue-token.ts';
import { entryOf, type ResourceCache } from './resource-cache.ts';
import type { Selection } from './selection.ts';

/** How long a read waits for a revision that other API servers have already written. */
const FRESHNESS_TIMEOUT_MS = 3000;
/** Keys asked of the store at once when a page of the past is filled. */
const HISTORY_CHUNK = 500;

export interface ListPage {
  readonly revision: Revision;
  readonly entries: readonly CacheEntry[];
  readonly continueToken?: string;
  readonly remaining?: number;
}

type Paging = Pick<ListOptions, 'limit' | 'continue' | 'resourceVersion' | 'resourceVersionMatch'>;

interface Plan {
  /** Undefined: the newest. */
  readonly exact: Revision | undefined;
  readonly start: string;
  readonly limit: number;
}

export function listPage(
  cache: ResourceCache,
  selection: Selection,
  options: Paging = {},
): ListPage | Promise<ListPage> {
  // The common list needs no waiting when this process is the only writer.
  if (options.resourceVersion === undefined && options.continue === undefined && cache.isLoaded) {
    if (cache.hub.consistent() === undefined) {
      return fromCache(cache, selection, { exact: undefined, start: '', limit: options.limit ?? 0 });
    }
  }
  return listSlowly(cache, selection, options);
}

async function listSlowly(cache: ResourceCache, selection: Selection, options: Paging): Promise<ListPage> {
  const plan = await prepare(cache, options);
  const { exact } = plan;
  if (exact === undefined || (exact >= cache.lastChange && exact <= cache.revision)) {
    if (exact !== undefined && exact < cache.revision) await assertHeld(cache, exact, options, plan.start);
    return fromCache(cache, selection, plan);
  }
  return fromHistory(cache, selection, { ...plan, exact }, options.continue !== undefined);
}

/**
 * The newest state is that of an older revision too when nothing of the kind has changed since; but a revision that
 * was compacted is gone for every list, or how long a token lives would depend on what others write.
 */
async function assertHeld(
  cache: ResourceCache,
  revision: Revision,
  options: Paging,
  start: string,
): Promise<void> {
  try {
    await cache.hub.store.get(cache.prefix, { revision });
  } catch (error) {
    throw historyError(error, options.continue === undefined ? undefined : start);
  }
}

async function prepare(cache: ResourceCache, options: Paging): Promise<Plan> {
  const { resourceVersion = '', resourceVersionMatch, limit = 0 } = options;
  if (options.continue !== undefined && options.continue !== '') {
    const token = decodeContinueToken(options.continue);
    if (resourceVersion !== '' && resourceVersion !== '0') {
      throw badRequest('specifying resource version is not allowed when using continue');
    }
    await cache.fresh();
    return { exact: token.revision < 0 ? undefined : token.revision, start: token.startKey, limit };
  }
  if (resourceVersion === '') {
    await cache.fresh();
    return { exact: undefined, start: '', limit };
  }
  const revision = parseResourceVersion(resourceVersion);
  await cache.load();
  if (revision === 0) return { exact: undefined, start: '', limit: 0 };
  await waitForRevision(cache, revision);
  const isExact = resourceVersionMatch === 'Exact' || (resourceVersionMatch === undefined && limit > 0);
  return { exact: isExact ? revision : undefined, start: '', limit };
}

/** @throws StatusError 504 with cause ResourceVersionTooLarge when the cluster has not come that far. */
export async function waitForRevision(cache: ResourceCache, revision: Revision): Promise<void> {
  if (revision <= cache.revision) return;
  if (await cache.hub.waitFor(revision, FRESHNESS_TIMEOUT_MS)) return;
  throw new StatusError(
    504,
    'Timeout',
    `Timeout: Too large resource version: ${revision}, current: ${cache.revision}`,
    {
      causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
      retryAfterSeconds: 1,
    },
  );
}

/** @throws StatusError 400 unless it is a decimal integer. (Upstream's watches answer 500, its lists as here.) */
export function parseResourceVersion(text: string): Revision {
  if (!/^\d{1,16}$/.test(text)) {
    const quoted = JSON.stringify(text);
    const message = `invalid resource version: resourceVersion: Invalid value: ${quoted}: strconv.ParseUint: parsing ${quoted}: invalid syntax`;
    throw badRequest(message);
  }
  return Number(text);
}

/** Entries of the page, the key behind it, and how many more keys its range has (with a limit only). */
function fromCache(cache: ResourceCache, selection: Selection, plan: Plan): ListPage {
  const revision = plan.exact ?? cache.revision;
  const [start, end] = keyRange(selection, plan.start);
  const single = selection.singleName;
  if (single !== undefined && plan.start === '' && selection.namespace !== undefined) {
    const entry = cache.get(`${selection.namespace}/${single}`);
    return { revision, entries: entry !== undefined && selection.matches(entry) ? [entry] : [] };
  }
  const entries: CacheEntry[] = [];
  let after: string | undefined;
  let seen = 0;
  let total = 0;
  for (const entry of cache.entries(start, end)) {
    total++;
    if (plan.limit > 0 && entries.length === plan.limit) {
      after ??= `${entries.at(-1)?.key ?? ''}\0`;
      if (!selection.isWhole) break;
      continue;
    }
    seen = total;
    if (selection.isWhole || selection.matches(entry)) entries.push(entry);
  }
  return page(entries, revision, after, selection.isWhole ? total - seen : undefined);
}

async function fromHistory(
  cache: ResourceCache,
  selection: Selection,
  plan: Plan & { readonly exact: Revision },
  isContinuation: boolean,
): Promise<ListPage> {
  const [start, end] = keyRange(selection, plan.start);
  const rangeEnd = end === '' ? prefixEnd(cache.prefix) : cache.prefix + end;
  const entries: CacheEntry[] = [];
  let from = cache.prefix + start;
  try {
    for (;;) {
      const missing = plan.limit === 0 ? 0 : plan.limit - entries.length;
      const limit = plan.limit === 0 ? 0 : selection.isWhole ? missing : Math.max(missing, HISTORY_CHUNK);
      const { kvs, count } = await cache.hub.store.range(from, rangeEnd, { limit, revision: plan.exact });
      let taken = 0;
      for (const kv of kvs) {
        taken++;
        const entry = entryOf(kv.key.slice(cache.prefix.length), kv);
        if (selection.isWhole || selection.matches(entry)) entries.push(entry);
        if (plan.limit > 0 && entries.length === plan.limit) break;
      }
      const left = count - taken;
      const last = kvs[taken - 1]?.key;
      if (left <= 0 || last === undefined) return page(entries, plan.exact, undefined, undefined);
      from = `${last}\0`;
      if (plan.limit > 0 && entries.length === plan.limit) {
        return page(
          entries,
          plan.exact,
          from.slice(cache.prefix.length),
          selection.isWhole ? left : undefined,
        );
      }
    }
  } catch (error) {
    throw historyError(error, isContinuation ? plan.start : undefined);
  }
}

function historyError(error: unknown, continueFrom: string | undefined): unknown {
  if (error instanceof FutureRevisionError) return badRequest(error.message);
  if (!(error instanceof CompactedError)) return error;
  if (continueFrom === undefined) return expired('The resourceVersion for the provided list is too old.');
  return new ExpiredContinueError(encodeContinueToken({ revision: -1, startKey: continueFrom }));
}

/** 410 for a page of a revision that is gone; its Status carries a token that goes on at the newest revision. */
export class ExpiredContinueError extends StatusError {
  readonly continueToken: string;

  constructor(continueToken: string) {
    super(
      410,
      'Expired',
      'The provided continue parameter is too old to display a consistent list result. ' +
        'You can start a new list without the continue parameter, or use the continue token in this response ' +
        'to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent ' +
        'list - objects that were created, modified, or deleted between the time the first chunk was returned ' +
        'and now may show up in the list.',
    );
    this.continueToken = continueToken;
  }

  override toStatus(): Status {
    return { ...super.toStatus(), metadata: { continue: this.continueToken } };
  }
}

function page(
  entries: readonly CacheEntry[],
  revision: Revision,
  after: string | undefined,
  remaining: number | undefined,
): ListPage {
  if (after === undefined) return { revision, entries };
  return {
    revision,
    entries,
    continueToken: encodeContinueToken({ revision, startKey: after }),
    ...(remaining === undefined || remaining === 0 ? {} : { remaining }),
  };
}

function keyRange(selection: Selection, start: string): readonly [string, string] {
  if (selection.namespace === undefined) return [start, ''];
  const prefix = `${selection.namespace}/`;
  return [start > prefix ? start : prefix, `${selection.namespace}0`];
}
