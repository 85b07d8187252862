/** Parameters of requests, each described once. */
export interface Parameter {
  readonly name: string;
  readonly in: 'query' | 'path';
  readonly type: 'string' | 'boolean' | 'integer';
  readonly description: string;
}

const query = (name: string, type: Parameter['type'], description: string): Parameter => ({
  name,
  in: 'query',
  type,
  description,
});

const DRY_RUN = query('dryRun', 'string', 'All: go through all checks and store nothing.');
const FIELD_MANAGER = query('fieldManager', 'string', 'Name under which the writer owns what it writes.');
const FIELD_VALIDATION = query(
  'fieldValidation',
  'string',
  'What happens to unknown and duplicate fields: Ignore, Warn or Strict.',
);
const FORCE = query('force', 'boolean', 'True: an apply takes fields that others own.');
const GRACE_PERIOD = query('gracePeriodSeconds', 'integer', 'Seconds until the object must be gone.');
const IGNORE_READ_ERROR = query(
  'ignoreStoreReadErrorWithClusterBreakingPotential',
  'boolean',
  'True: delete an object that cannot be read any more.',
);
const ORPHAN = query('orphanDependents', 'boolean', 'Older form of the propagation policy.');
const PROPAGATION = query(
  'propagationPolicy',
  'string',
  'What happens to objects that belong to the deleted one: Orphan, Background or Foreground.',
);
const CONTINUE = query('continue', 'string', 'Token of the page before, to get the next.');
const FIELD_SELECTOR = query('fieldSelector', 'string', 'Conditions on fields of the objects.');
const LABEL_SELECTOR = query('labelSelector', 'string', 'Conditions on labels of the objects.');
const LIMIT = query('limit', 'integer', 'Most objects on a page.');
const RESOURCE_VERSION = query('resourceVersion', 'string', 'How current the answer must be.');
const VERSION_MATCH = query(
  'resourceVersionMatch',
  'string',
  'How the version is meant: Exact or NotOlderThan.',
);
const INITIAL_EVENTS = query(
  'sendInitialEvents',
  'boolean',
  'True: a watch begins with the current objects and a bookmark after them.',
);
const TIMEOUT = query('timeoutSeconds', 'integer', 'Seconds the request may take.');
const BOOKMARKS = query('allowWatchBookmarks', 'boolean', 'True: a watch may send bookmarks.');
const WATCH = query('watch', 'boolean', 'True: stream changes instead of listing.');

const LIST: readonly Parameter[] = [
  BOOKMARKS,
  CONTINUE,
  FIELD_SELECTOR,
  LABEL_SELECTOR,
  LIMIT,
  RESOURCE_VERSION,
  VERSION_MATCH,
  INITIAL_EVENTS,
  TIMEOUT,
  WATCH,
];
const DELETE: readonly Parameter[] = [DRY_RUN, GRACE_PERIOD, IGNORE_READ_ERROR, ORPHAN, PROPAGATION];
const WRITE: readonly Parameter[] = [DRY_RUN, FIELD_MANAGER, FIELD_VALIDATION];

export type Action = 'get' | 'list' | 'post' | 'put' | 'patch' | 'delete' | 'deletecollection' | 'connect';

/** Query parameters of an action on a stored resource, sorted by name. */
export const ACTION_PARAMETERS: Readonly<Record<Action, readonly Parameter[]>> = {
  get: [],
  list: LIST,
  post: WRITE,
  put: WRITE,
  patch: [...WRITE, FORCE],
  delete: DELETE,
  deletecollection: [
    CONTINUE,
    DRY_RUN,
    FIELD_SELECTOR,
    GRACE_PERIOD,
    IGNORE_READ_ERROR,
    LABEL_SELECTOR,
    LIMIT,
    ORPHAN,
    PROPAGATION,
    RESOURCE_VERSION,
    VERSION_MATCH,
    INITIAL_EVENTS,
    TIMEOUT,
  ],
  connect: [],
};

export const PRETTY = query('pretty', 'string', 'True: the answer is indented.');
export const NAMESPACE: Parameter = {
  name: 'namespace',
  in: 'path',
  type: 'string',
  description: 'Namespace of the object.',
};
export const nameOf = (kind: string): Parameter => ({
  name: 'name',
  in: 'path',
  type: 'string',
  description: `Name of the ${kind}.`,
});

/** An option of a connection (exec, log), taken from the fields of its options type. */
export const option = query;
