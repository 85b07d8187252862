/** APIService. */
import {
  type FieldError,
  FieldPath,
  invalid,
  required,
  validateDns1035Label,
  validateDns1123Subdomain,
  validatePortNumber,
} from '#machinery';
import type { apiregistrationV1 } from '../../types/index.ts';
import { addInvalid, checkPresent, checkSupported, collect, type Errors } from '../field-rules.ts';

type ApiService = apiregistrationV1.APIService;

const specPath = new FieldPath('spec');
const MAX_GROUP_PRIORITY = 20_000;
const MAX_VERSION_PRIORITY = 1_000;

export const validateApiService = ({ metadata, spec }: ApiService): readonly FieldError[] =>
  collect((errors) => {
    const { group = '', version = '', service } = spec;
    const name = `${version}.${group}`;
    if (metadata.name !== name) {
      const why = `must be \`spec.version+"."+spec.group\`: ${JSON.stringify(name)}`;
      errors.push(invalid(new FieldPath('metadata.name'), metadata.name, why));
    }
    if (group === '' && version !== 'v1') {
      const why = 'only v1 may have an empty group and it better be legacy kube';
      errors.push(required(specPath.child('group'), why));
    }
    if (group !== '') addInvalid(validateDns1123Subdomain(group), specPath.child('group'), group, errors);
    addInvalid(validateDns1035Label(version), specPath.child('version'), version, errors);
    for (const [field, max] of [
      ['groupPriorityMinimum', MAX_GROUP_PRIORITY],
      ['versionPriority', MAX_VERSION_PRIORITY],
    ] as const) {
      const value = spec[field] ?? 0;
      if (value > 0 && value <= max) continue;
      errors.push(invalid(specPath.child(field), value, `must be positive and less than ${max}`));
    }
    if (service === undefined) checkLocal(spec, errors);
    else checkService(service, spec, errors);
  });

function checkLocal(
  { caBundle = '', insecureSkipTLSVerify }: apiregistrationV1.APIServiceSpec,
  errors: Errors,
): void {
  if (caBundle !== '') {
    const bytes = Buffer.byteLength(caBundle, 'base64');
    errors.push(
      invalid(specPath.child('caBundle'), `${bytes} bytes`, 'local APIServices may not have a caBundle'),
    );
  }
  if (insecureSkipTLSVerify === true) {
    const why = 'local APIServices may not have insecureSkipTLSVerify';
    errors.push(invalid(specPath.child('insecureSkipTLSVerify'), true, why));
  }
}

function checkService(
  { namespace, name, port = 0 }: apiregistrationV1.ServiceReference,
  { caBundle = '', insecureSkipTLSVerify }: apiregistrationV1.APIServiceSpec,
  errors: Errors,
): void {
  const path = specPath.child('service');
  checkPresent(namespace, path.child('namespace'), errors);
  checkPresent(name, path.child('name'), errors);
  const messages = validatePortNumber(port);
  if (messages.length > 0) {
    errors.push(invalid(path.child('port'), port, `port is not valid: ${messages.join(', ')}`));
  }
  if (insecureSkipTLSVerify === true && caBundle !== '') {
    errors.push(
      invalid(specPath.child('insecureSkipTLSVerify'), true, 'may not be true if caBundle is present'),
    );
  }
}

export const validateApiServiceStatus = ({ status }: ApiService): readonly FieldError[] =>
  collect((errors) => {
    for (const [i, condition] of (status.conditions ?? []).entries()) {
      const path = new FieldPath('status.conditions').index(i).child('status');
      checkSupported(condition.status, ['True', 'False', 'Unknown'], path, errors);
    }
  });
