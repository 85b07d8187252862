/** StorageClass, VolumeAttributesClass, VolumeAttachment and the CSI kinds. */
import {
  deepEqual,
  duplicate,
  type FieldError,
  FieldPath,
  fieldForbidden,
  invalid,
  parseQuantity,
  required,
  tooLong,
  validateDns1123Subdomain,
  validateQualifiedName,
} from '#machinery';
import type { coreV1, storageV1 } from '../../types/index.ts';
import {
  addInvalid,
  checkImmutable,
  checkNonNegative,
  checkPresent,
  checkSupported,
  collect,
  type Errors,
  FIELD_IS_IMMUTABLE,
  IS_NEGATIVE,
} from '../field-rules.ts';
import { checkLabelSelector, checkQualifiedName } from '../metadata-rules.ts';
import { checkCsiDriverName } from '../volume-sources.ts';

const MAX_PARAMETERS = 512;
const MAX_PARAMETERS_BYTES = 256 * 1024;

function checkProvisioner(name: string, at: FieldPath, errors: Errors): void {
  if (!checkPresent(name, at, errors)) return;
  const lower = name.toLowerCase();
  addInvalid(validateQualifiedName(lower), at, lower, errors);
}

function checkParameters(
  parameters: Readonly<Record<string, string>>,
  mayBeEmpty: boolean,
  errors: Errors,
): void {
  const path = new FieldPath('parameters');
  const entries = Object.entries(parameters);
  if (entries.length > MAX_PARAMETERS) {
    errors.push(tooLong(path, MAX_PARAMETERS));
    return;
  }
  let bytes = 0;
  for (const [key, value] of entries) {
    if (key === '') errors.push(invalid(path, key, 'field can not be empty.'));
    bytes += Buffer.byteLength(key) + Buffer.byteLength(value);
  }
  if (bytes > MAX_PARAMETERS_BYTES) errors.push(tooLong(path, MAX_PARAMETERS_BYTES));
  if (!mayBeEmpty && entries.length === 0) {
    errors.push(required(path, 'must contain at least one key/value pair'));
  }
}

export const validateStorageClass = (object: storageV1.StorageClass): readonly FieldError[] =>
  collect((errors) => {
    checkProvisioner(object.provisioner, new FieldPath('provisioner'), errors);
    checkParameters(object.parameters ?? {}, true, errors);
    const reclaim: string | undefined = object.reclaimPolicy;
    if (reclaim !== '') checkSupported(reclaim, ['Delete', 'Retain'], new FieldPath('reclaimPolicy'), errors);
    const mode = object.volumeBindingMode;
    const modePath = new FieldPath('volumeBindingMode');
    if (mode === undefined) errors.push(required(modePath));
    else checkSupported(mode, ['Immediate', 'WaitForFirstConsumer'], modePath, errors);
    checkTopologies(object.allowedTopologies ?? [], errors);
  });

function checkTopologies(terms: readonly coreV1.TopologySelectorTerm[], errors: Errors): void {
  const path = new FieldPath('allowedTopologies');
  const seen: Readonly<Record<string, readonly string[]>>[] = [];
  for (const [i, { matchLabelExpressions = [] }] of terms.entries()) {
    const at = path.index(i).child('matchLabelExpressions');
    const term: Record<string, readonly string[]> = {};
    for (const [j, expression] of matchLabelExpressions.entries()) {
      const { key } = expression;
      const values: readonly string[] = expression.values ?? [];
      const item = at.index(j);
      if (values.length === 0) errors.push(required(item.child('values')));
      for (const [k, value] of values.entries()) {
        if (values.indexOf(value) < k) errors.push(duplicate(item.child('values').index(k), value));
      }
      checkQualifiedName(key, item.child('key'), errors);
      if (term[key] !== undefined) errors.push(duplicate(item.child('key'), key));
      term[key] = [...new Set(values)].toSorted();
    }
    if (seen.some((other) => deepEqual(other, term))) errors.push(duplicate(at, ''));
    seen.push(term);
  }
}

export const validateStorageClassUpdate = (
  object: storageV1.StorageClass,
  old: storageV1.StorageClass,
): readonly FieldError[] =>
  collect((errors) => {
    for (const field of ['parameters', 'provisioner', 'reclaimPolicy', 'volumeBindingMode'] as const) {
      checkImmutable(object[field], old[field], new FieldPath(field), errors);
    }
  });

type AttributesClass = storageV1.VolumeAttributesClass;

export const validateAttributesClass = (
  object: AttributesClass,
  old?: AttributesClass,
): readonly FieldError[] =>
  collect((errors) => {
    for (const field of ['driverName', 'parameters'] as const) {
      if (old === undefined || deepEqual(object[field], old[field])) continue;
      errors.push(fieldForbidden(new FieldPath(field), `updates to ${field} are forbidden.`));
    }
    checkProvisioner(object.driverName, new FieldPath('driverName'), errors);
    checkParameters(object.parameters ?? {}, false, errors);
  });

type Attachment = storageV1.VolumeAttachment;
const MAX_ERROR_BYTES = 1024;

export const validateAttachment = ({ spec, status }: Attachment): readonly FieldError[] =>
  collect((errors) => checkAttachment(spec, status, errors));

function checkAttachment(
  spec: Attachment['spec'],
  status: storageV1.VolumeAttachmentStatus | undefined,
  errors: Errors,
): void {
  const path = new FieldPath('spec');
  checkCsiDriverName(spec.attacher, path.child('attacher'), errors);
  const { inlineVolumeSpec, persistentVolumeName } = spec.source;
  const one = 'must specify exactly one of inlineVolumeSpec and persistentVolumeName';
  if (inlineVolumeSpec === undefined && persistentVolumeName === undefined) {
    errors.push(required(path.child('source'), one));
  } else if (inlineVolumeSpec !== undefined && persistentVolumeName !== undefined) {
    errors.push(fieldForbidden(path.child('source'), one));
  } else if (persistentVolumeName === '') {
    const why = 'must specify non empty persistentVolumeName';
    errors.push(required(path.child('source', 'persistentVolumeName'), why));
  }
  addInvalid(validateDns1123Subdomain(spec.nodeName), path.child('nodeName'), spec.nodeName, errors);
  for (const field of ['attachError', 'detachError'] as const) {
    const error = status?.[field];
    const at = new FieldPath('status').child(field);
    if (Buffer.byteLength(error?.message ?? '') > MAX_ERROR_BYTES) {
      errors.push(tooLong(at.child('message'), MAX_PARAMETERS_BYTES));
    }
    if ((error?.errorCode ?? 0) < 0) {
      const why = 'must be between 0 and 2147483647, inclusive';
      errors.push(invalid(at.child('errorCode'), error?.errorCode, why));
    }
  }
  if (persistentVolumeName !== undefined) {
    const at = new FieldPath('spec.source.persistentVolumeName');
    addInvalid(validateDns1123Subdomain(persistentVolumeName), at, persistentVolumeName, errors);
  }
}

export const validateAttachmentUpdate = (
  { spec, status }: Attachment,
  old: Attachment,
): readonly FieldError[] =>
  collect((errors) => {
    checkAttachment(spec, status, errors);
    if (deepEqual(spec, old.spec)) return;
    const printed = {
      Attacher: spec.attacher,
      Source: {
        PersistentVolumeName: spec.source.persistentVolumeName ?? null,
        InlineVolumeSpec: spec.source.inlineVolumeSpec ?? null,
      },
      NodeName: spec.nodeName,
    };
    errors.push(invalid(new FieldPath('spec'), printed, FIELD_IS_IMMUTABLE));
  });

const MAX_NODE_ID = 256;
const driversPath = new FieldPath('spec.drivers');

export const validateCsiNode = (object: storageV1.CSINode, old?: storageV1.CSINode): readonly FieldError[] =>
  collect((errors) => {
    const drivers: readonly storageV1.CSINodeDriver[] = object.spec.drivers ?? [];
    const names = new Set<string>();
    for (const [i, driver] of drivers.entries()) {
      const path = driversPath.index(i);
      checkCsiNodeDriver(driver, path, errors);
      if (names.has(driver.name)) errors.push(duplicate(path.child('name'), driver.name));
      names.add(driver.name);
      const keys = new Set<string>();
      for (const key of driver.topologyKeys ?? []) {
        if (key === '') errors.push(required(path));
        if (keys.has(key)) errors.push(duplicate(path, key));
        keys.add(key);
        checkQualifiedName(key, path, errors);
      }
    }
    for (const before of old?.spec.drivers ?? []) {
      const next = drivers.find(({ name }) => name === before.name);
      if (next === undefined) continue;
      const isSame = deepEqual({ ...next, allocatable: undefined }, { ...before, allocatable: undefined });
      if (isSame) continue;
      const printed = {
        Name: next.name,
        NodeID: next.nodeID,
        TopologyKeys: next.topologyKeys ?? null,
        Allocatable: next.allocatable === undefined ? null : { Count: next.allocatable.count ?? null },
      };
      errors.push(invalid(driversPath, printed, FIELD_IS_IMMUTABLE));
    }
  });

function checkCsiNodeDriver(driver: storageV1.CSINodeDriver, at: FieldPath, errors: Errors): void {
  checkCsiDriverName(driver.name, at.child('name'), errors);
  checkPresent(driver.nodeID, at.child('nodeID'), errors);
  if (Buffer.byteLength(driver.nodeID) > MAX_NODE_ID) {
    errors.push(invalid(at.child('nodeID'), driver.nodeID, `must be ${MAX_NODE_ID} characters or less`));
  }
  checkNonNegative(driver.allocatable?.count, at.child('allocatable', 'count'), errors);
}

type Driver = storageV1.CSIDriver;
const specPath = new FieldPath('spec');

export const validateCsiDriver = ({ spec }: Driver, old?: Driver): readonly FieldError[] =>
  collect((errors) => {
    // Upstream's spelling.
    const attached = specPath.child('attachedRequired');
    if (spec.attachRequired === undefined) errors.push(required(attached));
    for (const field of ['podInfoOnMount', 'storageCapacity'] as const) {
      if (spec[field] === undefined) errors.push(required(specPath.child(field)));
    }
    const groups = ['File', 'None', 'ReadWriteOnceWithFSType'];
    checkSupported(spec.fsGroupPolicy, groups, specPath.child('fsGroupPolicy'), errors);
    checkTokenRequests(spec.tokenRequests ?? [], errors);
    const modesPath = specPath.child('volumeLifecycleModes');
    for (const mode of spec.volumeLifecycleModes ?? []) {
      checkSupported(mode, ['Persistent', 'Ephemeral'], modesPath, errors);
    }
    const period = spec.nodeAllocatableUpdatePeriodSeconds;
    if (period !== undefined && period < 10) {
      const path = specPath.child('nodeAllocatableUpdatePeriodSeconds');
      errors.push(invalid(path, period, 'must be greater than or equal to 10 seconds'));
    }
    if (spec.serviceAccountTokenInSecrets !== undefined && (spec.tokenRequests ?? []).length === 0) {
      const why = 'serviceAccountTokenInSecrets is set but no tokenRequests are specified';
      const path = specPath.child('serviceAccountTokenInSecrets');
      errors.push(invalid(path, spec.serviceAccountTokenInSecrets, why));
    }
    if (old === undefined) return;
    checkImmutable(spec.attachRequired, old.spec.attachRequired, attached, errors);
    checkImmutable(spec.volumeLifecycleModes, old.spec.volumeLifecycleModes, modesPath, errors);
  });

function checkTokenRequests(requests: readonly storageV1.TokenRequest[], errors: Errors): void {
  const audiences = new Set<string>();
  for (const [i, { audience, expirationSeconds: seconds }] of requests.entries()) {
    const path = specPath.child('tokenRequests').index(i);
    if (audiences.has(audience)) {
      errors.push(duplicate(path.child('audience'), audience));
      continue;
    }
    audiences.add(audience);
    if (seconds === undefined) continue;
    const at = path.child('expirationSeconds');
    if (seconds < 600) errors.push(invalid(at, seconds, 'may not specify a duration less than 10 minutes'));
    if (seconds > 2 ** 32) {
      errors.push(invalid(at, seconds, 'may not specify a duration larger than 2^32 seconds'));
    }
  }
}

type Capacity = storageV1.CSIStorageCapacity;

export const validateStorageCapacity = (object: Capacity): readonly FieldError[] =>
  collect((errors) => {
    const { nodeTopology, storageClassName, capacity } = object;
    checkLabelSelector(nodeTopology, new FieldPath('nodeTopology'), errors);
    const path = new FieldPath('storageClassName');
    addInvalid(validateDns1123Subdomain(storageClassName), path, storageClassName, errors);
    if (capacity !== undefined && parseQuantity(capacity).sign() < 0) {
      errors.push(invalid(new FieldPath('capacity'), capacity, IS_NEGATIVE));
    }
  });

export const validateStorageCapacityUpdate = (object: Capacity, old: Capacity): readonly FieldError[] =>
  collect((errors) => {
    for (const field of ['nodeTopology', 'storageClassName'] as const) {
      checkImmutable(object[field], old[field], new FieldPath(field), errors);
    }
  });
