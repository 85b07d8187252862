/** ConfigMap, Secret, Namespace, Event, Lease. */
import {
  deepEqual,
  type FieldError,
  FieldPath,
  fieldForbidden,
  invalid,
  notSupported,
  parseJson,
  required,
  tooLong,
  validateConfigMapKey,
  validateDns1123Subdomain,
  validateQualifiedName,
} from '#machinery';
import type { coordinationV1, coreV1 } from '../../types/index.ts';
import { addInvalid, checkImmutable, collect, type Errors, sortedEntries, ROOT } from '../field-rules.ts';
import { checkQualifiedName } from '../metadata-rules.ts';

const MAX_BYTES = 1024 * 1024;
const dataPath = new FieldPath('data');
const binaryPath = new FieldPath('binaryData');
const immutablePath = new FieldPath('immutable');
const FROZEN = 'field is immutable when `immutable` is set';

type Data = Readonly<Record<string, string>>;

/** Bytes that base64 text stands for. */
const decodedLength = (text: string): number =>
  Math.floor((text.length * 3) / 4) - (text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0);

interface Freezable {
  readonly immutable?: boolean;
  readonly data?: Data;
  readonly binaryData?: Data;
}

function checkFrozen(next: Freezable, old: Freezable, errors: Errors): void {
  if (old.immutable !== true) return;
  if (next.immutable !== true) errors.push(fieldForbidden(immutablePath, FROZEN));
  if (!deepEqual(next.data, old.data)) errors.push(fieldForbidden(dataPath, FROZEN));
  if (!deepEqual(next.binaryData, old.binaryData)) errors.push(fieldForbidden(binaryPath, FROZEN));
}

function checkConfigMap({ data, binaryData }: coreV1.ConfigMap, errors: Errors): void {
  let bytes = 0;
  for (const [key, value] of sortedEntries(data)) {
    addInvalid(validateConfigMapKey(key), dataPath.key(key), key, errors);
    if (binaryData?.[key] !== undefined) {
      errors.push(invalid(dataPath.key(key), key, 'duplicate of key present in binaryData'));
    }
    bytes += Buffer.byteLength(value);
  }
  for (const [key, value] of sortedEntries(binaryData)) {
    addInvalid(validateConfigMapKey(key), binaryPath.key(key), key, errors);
    bytes += decodedLength(value);
  }
  if (bytes > MAX_BYTES) errors.push(tooLong(ROOT, MAX_BYTES));
}

export const validateConfigMap = (object: coreV1.ConfigMap): readonly FieldError[] =>
  collect((errors) => checkConfigMap(object, errors));

export const validateConfigMapUpdate = (
  object: coreV1.ConfigMap,
  old: coreV1.ConfigMap,
): readonly FieldError[] =>
  collect((errors) => {
    checkFrozen(object, old, errors);
    checkConfigMap(object, errors);
  });

const SERVICE_ACCOUNT_NAME = 'kubernetes.io/service-account.name';

/** Keys that secrets of a type must have. */
const REQUIRED_KEYS: Readonly<Record<string, readonly string[]>> = {
  'kubernetes.io/tls': ['tls.crt', 'tls.key'],
  'kubernetes.io/dockercfg': ['.dockercfg'],
  'kubernetes.io/dockerconfigjson': ['.dockerconfigjson'],
};

function checkSecret({ metadata, type = '', data = {} }: coreV1.Secret, errors: Errors): void {
  let bytes = 0;
  for (const [key, value] of sortedEntries(data)) {
    addInvalid(validateConfigMapKey(key), dataPath.key(key), key, errors);
    bytes += decodedLength(value);
  }
  if (bytes > MAX_BYTES) errors.push(tooLong(dataPath, MAX_BYTES));
  const name = metadata.annotations?.[SERVICE_ACCOUNT_NAME] ?? '';
  if (type === 'kubernetes.io/service-account-token' && name === '') {
    errors.push(required(new FieldPath('metadata.annotations').key(SERVICE_ACCOUNT_NAME)));
  }
  for (const key of REQUIRED_KEYS[type] ?? []) {
    if (data[key] === undefined) errors.push(required(dataPath.key(key)));
    else if (key.startsWith('.')) checkJsonObject(data[key], dataPath.key(key), errors);
  }
  if (
    type === 'kubernetes.io/basic-auth' &&
    data['username'] === undefined &&
    data['password'] === undefined
  ) {
    errors.push(required(dataPath.key('username')), required(dataPath.key('password')));
  }
  if (type === 'kubernetes.io/ssh-auth' && (data['ssh-privatekey'] ?? '') === '') {
    errors.push(required(dataPath.key('ssh-privatekey')));
  }
}

function checkJsonObject(base64: string, at: FieldPath, errors: Errors): void {
  const why = jsonObjectProblem(Buffer.from(base64, 'base64').toString());
  if (why !== undefined) errors.push(invalid(at, '<secret contents redacted>', why));
}

/** In Go's words. */
function jsonObjectProblem(text: string): string | undefined {
  try {
    const { value } = parseJson(text);
    if (typeof value === 'object' && !Array.isArray(value)) return undefined;
    const kind = Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : typeof value;
    return `json: cannot unmarshal ${kind} into Go value of type map[string]interface {}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

export const validateSecret = (object: coreV1.Secret): readonly FieldError[] =>
  collect((errors) => checkSecret(object, errors));

export const validateSecretUpdate = (object: coreV1.Secret, old: coreV1.Secret): readonly FieldError[] =>
  collect((errors) => {
    checkImmutable(object.type, old.type, new FieldPath('type'), errors);
    checkFrozen(object, old, errors);
    checkSecret(object, errors);
  });

const STANDARD_FINALIZERS = new Set(['kubernetes', 'orphan', 'foregroundDeletion']);
const finalizersPath = new FieldPath('spec.finalizers');

function checkFinalizer(name: string, at: FieldPath, errors: Errors): void {
  addInvalid(validateQualifiedName(name), at, name, errors);
  if (name.includes('/') || STANDARD_FINALIZERS.has(name)) return;
  const why = 'name is neither a standard finalizer name nor is it fully qualified';
  errors.push(invalid(at, name, why));
}

export const validateNamespace = ({ spec }: coreV1.Namespace): readonly FieldError[] =>
  collect((errors) => {
    for (const name of spec.finalizers ?? []) checkFinalizer(name, finalizersPath, errors);
  });

export const validateNamespaceUpdate = (
  { spec }: coreV1.Namespace,
  _old: coreV1.Namespace,
  subresource: string | undefined,
): readonly FieldError[] =>
  collect((errors) => {
    for (const [i, name] of (spec.finalizers ?? []).entries()) {
      checkFinalizer(name, subresource === 'finalize' ? finalizersPath.index(i) : finalizersPath, errors);
    }
  });

export const validateNamespaceStatus = ({ metadata, status }: coreV1.Namespace): readonly FieldError[] =>
  collect((errors) => {
    const isDeleted = metadata.deletionTimestamp !== undefined;
    const only = isDeleted ? 'Terminating' : 'Active';
    if (status.phase === only) return;
    const why = `may only be '${only}' if \`deletionTimestamp\` is ${isDeleted ? 'not empty' : 'empty'}`;
    errors.push(invalid('status.Phase', status.phase ?? '', why));
  });

const leasePath = new FieldPath('spec');

export const validateLease = ({ spec }: coordinationV1.Lease): readonly FieldError[] =>
  collect((errors) => {
    const { leaseDurationSeconds, leaseTransitions, strategy, preferredHolder = '' } = spec;
    if (leaseDurationSeconds !== undefined && leaseDurationSeconds <= 0) {
      const path = leasePath.child('leaseDurationSeconds');
      errors.push(invalid(path, leaseDurationSeconds, 'must be greater than 0'));
    }
    if (leaseTransitions !== undefined && leaseTransitions < 0) {
      const path = leasePath.child('leaseTransitions');
      errors.push(invalid(path, leaseTransitions, 'must be greater than or equal to 0'));
    }
    if (strategy !== undefined) {
      // Upstream names the field twice.
      const path = leasePath.child('strategy', 'strategy');
      if (strategy.includes('/')) checkQualifiedName(strategy, path, errors);
      else if (strategy !== 'OldestEmulationVersion') {
        errors.push(notSupported(path, strategy, ['OldestEmulationVersion']));
      }
    }
    if (preferredHolder !== '' && (strategy ?? '') === '') {
      const why = 'may only be specified if `strategy` is defined';
      errors.push(fieldForbidden(leasePath.child('preferredHolder'), why));
    }
  });

const MAX_EVENT_TEXT = 128;
const MAX_EVENT_NOTE = 1_024;

/** Rules that events of both API groups obey. */
export const validateEvent = (event: coreV1.Event): readonly FieldError[] =>
  collect((errors) => {
    const namespace = event.metadata.namespace ?? '';
    const involved = event.involvedObject.namespace ?? '';
    const isNew = event.eventTime !== undefined && event.eventTime !== null;
    const homes = isNew ? ['default', 'kube-system'] : ['', 'default'];
    const fits = involved === '' ? homes.includes(namespace) : isNew || namespace === involved;
    if (!fits) {
      errors.push(invalid('involvedObject.namespace', involved, 'does not match event.namespace'));
    }
    if (isNew) checkNewEvent(event, errors);
    addInvalid(validateDns1123Subdomain(namespace), new FieldPath('namespace'), namespace, errors);
  });

function checkNewEvent(event: coreV1.Event, errors: Errors): void {
  const { reportingComponent, reportingInstance, action = '', reason = '', message = '' } = event;
  const tooLongText = (field: string, text: string, max: number): void => {
    if (Buffer.byteLength(text) > max) errors.push(invalid(field, '', `can have at most ${max} characters`));
  };
  if (reportingComponent === '') errors.push(required('reportingComponent'));
  checkQualifiedName(reportingComponent, new FieldPath('reportingComponent'), errors);
  for (const [field, text] of [
    ['reportingInstance', reportingInstance],
    ['action', action],
    ['reason', reason],
  ] as const) {
    if (text === '') errors.push(required(field));
    tooLongText(field, text, MAX_EVENT_TEXT);
  }
  tooLongText('message', message, MAX_EVENT_NOTE);
}
