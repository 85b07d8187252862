/** Ingress, IngressClass, ServiceCIDR, IPAddress. */
import {
  deepEqual,
  type FieldError,
  FieldPath,
  fieldForbidden,
  invalid,
  notSupported,
  required,
  tooLong,
  validateDns1123Label,
  validateDns1123Subdomain,
  validatePathSegmentName,
  validatePortName,
  validatePortNumber,
  validateWildcardDns1123Subdomain,
} from '#machinery';
import type { coreV1, networkingV1 } from '../../types/index.ts';
import { checkDomainPrefixedPath } from '../domain-path.ts';
import {
  addInvalid,
  checkImmutable,
  checkPresent,
  checkSupported,
  collect,
  type Errors,
  FIELD_IS_IMMUTABLE,
} from '../field-rules.ts';
import { parseBlock, parseIp } from '../ip-address.ts';
import { checkCidr, checkIp } from '../ip-rules.ts';
import { checkDns1123Label } from '../metadata-rules.ts';
import { checkIngressAddress } from '../service/validation.ts';

type Ingress = networkingV1.Ingress;

const specPath = new FieldPath('spec');
const INGRESS_CLASS = 'kubernetes.io/ingress.class';

interface IngressOptions {
  readonly checksSecretNames: boolean;
  readonly checksWildcardRules: boolean;
}

export const validateIngress = (ingress: Ingress): readonly FieldError[] =>
  collect((errors) => {
    checkIngress(ingress, { checksSecretNames: true, checksWildcardRules: true }, errors);
    const annotation = ingress.metadata.annotations?.[INGRESS_CLASS];
    const { ingressClassName } = ingress.spec;
    const disagrees =
      annotation !== undefined && ingressClassName !== undefined && annotation !== ingressClassName;
    if (!disagrees) return;
    const why = 'must match `ingressClassName` when both are specified';
    errors.push(invalid(new FieldPath('annotations').child(INGRESS_CLASS), annotation, why));
  });

/** What was let in before its rules were may stay. */
export const validateIngressUpdate = (ingress: Ingress, old: Ingress): readonly FieldError[] =>
  collect((errors) => {
    const isBadSecret = ({ secretName = '' }: networkingV1.IngressTLS): boolean =>
      secretName !== '' && validateDns1123Subdomain(secretName).length > 0;
    const isBadWildcard = (rule: networkingV1.IngressRule): boolean =>
      rule.host?.includes('*') === true &&
      collect((found) => checkRuleValue(rule, specPath, found)).length > 0;
    const options = {
      checksSecretNames: !(old.spec.tls ?? []).some(isBadSecret),
      checksWildcardRules: !(old.spec.rules ?? []).some(isBadWildcard),
    };
    checkIngress(ingress, options, errors);
  });

function checkIngress({ spec }: Ingress, options: IngressOptions, errors: Errors): void {
  const { rules = [], defaultBackend, tls = [], ingressClassName } = spec;
  if (rules.length === 0 && defaultBackend === undefined) {
    errors.push(invalid(specPath, spec.rules, 'either `defaultBackend` or `rules` must be specified'));
  }
  if (defaultBackend !== undefined) checkBackend(defaultBackend, specPath.child('defaultBackend'), errors);
  for (const [i, rule] of rules.entries()) {
    const path = specPath.child('rules').index(i);
    const { host = '' } = rule;
    const isWildcard = host.includes('*');
    if (host !== '') {
      if (parseIp(host) !== undefined) {
        errors.push(invalid(path.child('host'), host, 'must be a DNS name, not an IP address'));
      }
      checkHost(host, path.child('host'), errors);
    }
    if (!isWildcard || options.checksWildcardRules) checkRuleValue(rule, path, errors);
  }
  for (const [i, { hosts = [], secretName = '' }] of tls.entries()) {
    const path = specPath.child('tls').index(i);
    for (const [j, host] of hosts.entries()) checkHost(host, path.child('hosts').index(j), errors);
    if (secretName === '' || !options.checksSecretNames) continue;
    addInvalid(validateDns1123Subdomain(secretName), path.child('secretName'), secretName, errors);
  }
  if (ingressClassName !== undefined) {
    const path = specPath.child('ingressClassName');
    addInvalid(validateDns1123Subdomain(ingressClassName), path, ingressClassName, errors);
  }
}

function checkHost(host: string, at: FieldPath, errors: Errors): void {
  const rule = host.includes('*') ? validateWildcardDns1123Subdomain : validateDns1123Subdomain;
  addInvalid(rule(host), at, host, errors);
}

function checkRuleValue({ http }: networkingV1.IngressRule, at: FieldPath, errors: Errors): void {
  if (http === undefined) return;
  const path = at.child('http', 'paths');
  const paths: readonly networkingV1.HTTPIngressPath[] = http.paths ?? [];
  if (paths.length === 0) errors.push(required(path));
  for (const [i, entry] of paths.entries()) checkPath(entry, path.index(i), errors);
}

const BAD_SEQUENCES = ['//', '/./', '/../', '%2f', '%2F'];
const BAD_ENDINGS = ['/..', '/.'];
const PATH_TYPES = ['Exact', 'ImplementationSpecific', 'Prefix'];

function checkPath(entry: networkingV1.HTTPIngressPath, at: FieldPath, errors: Errors): void {
  const pathType: string | null | undefined = entry.pathType;
  const { path = '' } = entry;
  const pathPath = at.child('path');
  if (pathType === undefined || pathType === null) {
    errors.push(required(at.child('pathType'), 'pathType must be specified'));
    return;
  }
  const isAbsolute = path.startsWith('/');
  if (pathType === 'Exact' || pathType === 'Prefix') {
    if (!isAbsolute) errors.push(invalid(pathPath, path, 'must be an absolute path'));
    for (const part of BAD_SEQUENCES) {
      if (path.includes(part)) errors.push(invalid(pathPath, path, `must not contain '${part}'`));
    }
    for (const part of BAD_ENDINGS) {
      if (path.endsWith(part)) errors.push(invalid(pathPath, path, `cannot end with '${part}'`));
    }
  } else if (pathType === 'ImplementationSpecific') {
    if (path !== '' && !isAbsolute) errors.push(invalid(pathPath, path, 'must be an absolute path'));
  } else errors.push(notSupported(at.child('pathType'), pathType, PATH_TYPES));
  checkBackend(entry.backend, at.child('backend'), errors);
}

function checkBackend(
  { resource, service }: networkingV1.IngressBackend,
  at: FieldPath,
  errors: Errors,
): void {
  if (resource !== undefined && service !== undefined) {
    errors.push(invalid(at, '', 'cannot set both resource and service backends'));
  } else if (resource !== undefined) checkTypedReference(resource, at.child('resource'), errors);
  else if (service !== undefined) checkServiceBackend(service, at, errors);
  else errors.push(invalid(at, '', 'resource or service backend is required'));
}

function checkServiceBackend(
  service: networkingV1.IngressServiceBackend,
  at: FieldPath,
  errors: Errors,
): void {
  const path = at.child('service');
  if (checkPresent(service.name, path.child('name'), errors)) {
    checkDns1123Label(service.name, path.child('name'), errors);
  }
  const { name = '', number = 0 } = service.port ?? {};
  if (name !== '' && number !== 0) {
    errors.push(invalid(at, '', 'cannot set both port name & port number'));
  } else if (name !== '') addInvalid(validatePortName(name), path.child('port', 'name'), name, errors);
  else if (number !== 0) addInvalid(validatePortNumber(number), path.child('port', 'number'), number, errors);
  else errors.push(required(at, 'port name or number is required'));
}

function checkTypedReference(
  { apiGroup, kind, name }: coreV1.TypedLocalObjectReference,
  at: FieldPath,
  errors: Errors,
): void {
  // Where Go does not omit it, an absent group decodes to null.
  const group: string | null | undefined = apiGroup;
  if (group !== undefined && group !== null) {
    addInvalid(validateDns1123Subdomain(group), at.child('apiGroup'), group, errors);
  }
  for (const [field, value] of [
    ['kind', kind],
    ['name', name],
  ] as const) {
    if (checkPresent(value, at.child(field), errors)) {
      addInvalid(validatePathSegmentName(value), at.child(field), value, errors);
    }
  }
}

export const validateIngressStatus = ({ status }: Ingress, old: Ingress): readonly FieldError[] =>
  collect((errors) => {
    const path = new FieldPath('status.loadBalancer.ingress');
    const known = (old.status.loadBalancer?.ingress ?? []).map(({ ip = '' }) => ip);
    for (const [i, entry] of (status.loadBalancer?.ingress ?? []).entries()) {
      checkIngressAddress(entry, known, path.index(i), errors);
    }
  });

const MAX_CONTROLLER = 250;

export const validateIngressClass = (
  { spec }: networkingV1.IngressClass,
  old?: networkingV1.IngressClass,
): readonly FieldError[] =>
  collect((errors) => {
    const { controller = '', parameters } = spec;
    const path = specPath.child('controller');
    if (old !== undefined) checkImmutable(controller, old.spec.controller ?? '', path, errors);
    if (Buffer.byteLength(controller) > MAX_CONTROLLER) errors.push(tooLong(path, MAX_CONTROLLER));
    checkDomainPrefixedPath(controller, path, errors);
    if (parameters !== undefined) checkParameters(parameters, specPath.child('parameters'), errors);
  });

function checkParameters(
  parameters: networkingV1.IngressClassParametersReference,
  at: FieldPath,
  errors: Errors,
): void {
  const { scope, namespace } = parameters;
  checkTypedReference(parameters, at, errors);
  const path = at.child('namespace');
  if (scope === undefined) {
    errors.push(required(at.child('scope')));
    return;
  }
  checkSupported(scope, ['Cluster', 'Namespace'], at.child('scope'), errors);
  if (scope === 'Namespace') {
    if (namespace === undefined) errors.push(required(path, "`parameters.scope` is set to 'Namespace'"));
    else addInvalid(validateDns1123Label(namespace), path, namespace, errors);
  } else if (scope === 'Cluster' && namespace !== undefined) {
    errors.push(fieldForbidden(path, "`parameters.scope` is set to 'Cluster'"));
  }
}

type ServiceCidr = networkingV1.ServiceCIDR;
const cidrsPath = specPath.child('cidrs');

function checkServiceCidrs({ spec }: ServiceCidr, errors: Errors): void {
  const cidrs = spec.cidrs ?? [];
  if (cidrs.length === 0) {
    errors.push(required(cidrsPath, 'at least one CIDR required'));
    return;
  }
  if (cidrs.length > 2) {
    errors.push(invalid(cidrsPath, { CIDRs: cidrs }, 'may only hold up to 2 values'));
    return;
  }
  for (const [i, cidr] of cidrs.entries()) checkCidr(cidr, cidrsPath.index(i), errors);
  const [first, second] = cidrs.map((cidr) => parseBlock(cidr)?.family);
  if (cidrs.length === 2 && first !== undefined && first === second) {
    const why = 'may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64';
    errors.push(invalid(cidrsPath, cidrs, why));
  }
}

export const validateServiceCidr = (object: ServiceCidr): readonly FieldError[] =>
  collect((errors) => checkServiceCidrs(object, errors));

export const validateServiceCidrUpdate = (object: ServiceCidr, old: ServiceCidr): readonly FieldError[] =>
  collect((errors) => {
    const next = object.spec.cidrs ?? [];
    const before = old.spec.cidrs ?? [];
    const grows = before.length === 1 && next.length === 2;
    if (before.length !== next.length && !grows) {
      errors.push(invalid(cidrsPath, object.spec.cidrs, FIELD_IS_IMMUTABLE));
      return;
    }
    for (const [i, cidr] of before.entries()) {
      if (cidr !== next[i]) errors.push(invalid(cidrsPath.index(i), next[i], FIELD_IS_IMMUTABLE));
    }
    if (grows) checkServiceCidrs(object, errors);
  });

type IpAddress = networkingV1.IPAddress;
const parentPath = specPath.child('parentRef');

export const validateIpAddress = ({ metadata, spec }: IpAddress): readonly FieldError[] =>
  collect((errors) => {
    checkIp(metadata.name, new FieldPath('metadata.name'), errors);
    const parent: networkingV1.ParentReference | null | undefined = spec.parentRef;
    if (parent === undefined || parent === null) {
      errors.push(required(parentPath));
      return;
    }
    const { group = '', resource, namespace = '', name } = parent;
    if (group !== '') addInvalid(validateDns1123Subdomain(group), parentPath.child('group'), group, errors);
    for (const [field, value] of [
      ['resource', resource],
      ['name', name],
      ['namespace', namespace],
    ] as const) {
      const path = parentPath.child(field);
      if (field === 'namespace' && value === '') continue;
      if (checkPresent(value, path, errors)) addInvalid(validatePathSegmentName(value), path, value, errors);
    }
  });

export const validateIpAddressUpdate = ({ spec }: IpAddress, old: IpAddress): readonly FieldError[] =>
  collect((errors) => {
    if (deepEqual(spec.parentRef, old.spec.parentRef)) return;
    errors.push(invalid(parentPath, printedParent(spec.parentRef), FIELD_IS_IMMUTABLE));
  });

/** As Go prints its own struct. */
const printedParent = (parent: networkingV1.ParentReference | undefined): object | undefined =>
  parent === undefined
    ? undefined
    : {
        Group: parent.group ?? '',
        Resource: parent.resource,
        Namespace: parent.namespace ?? '',
        Name: parent.name,
      };
