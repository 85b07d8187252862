/** FlowSchema and PriorityLevelConfiguration. */
import {
  duplicate,
  type FieldError,
  FieldPath,
  fieldForbidden,
  invalid,
  notSupported,
  required,
  validateDns1123Label,
  validateDns1123Subdomain,
} from '#machinery';
import type { flowcontrolV1 } from '../../types/index.ts';
import { addInvalid, checkPresent, collect, type Errors } from '../field-rules.ts';

type FlowSchema = flowcontrolV1.FlowSchema;
type PriorityLevel = flowcontrolV1.PriorityLevelConfiguration;

const specPath = new FieldPath('spec');
const MAX_PRECEDENCE = 10_000;
const VERBS = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'proxy', 'update', 'watch'];

export const validateFlowSchema = ({ metadata, spec }: FlowSchema): readonly FieldError[] =>
  collect((errors) => {
    const precedence = spec.matchingPrecedence ?? 0;
    const path = specPath.child('matchingPrecedence');
    if (precedence <= 0) errors.push(invalid(path, precedence, 'must be a positive value'));
    if (precedence > MAX_PRECEDENCE) {
      errors.push(invalid(path, precedence, `must not be greater than ${MAX_PRECEDENCE}`));
    }
    if (precedence === 1 && metadata.name !== 'exempt') {
      const why = "only the schema named 'exempt' may have matchingPrecedence 1";
      errors.push(invalid(path, precedence, why));
    }
    const method: string | undefined = spec.distinguisherMethod?.type;
    if (method !== undefined && method !== 'ByNamespace' && method !== 'ByUser') {
      const at = specPath.child('distinguisherMethod', 'type');
      errors.push(notSupported(at, { Type: method }, ['ByNamespace', 'ByUser']));
    }
    const { name } = spec.priorityLevelConfiguration;
    const namePath = specPath.child('priorityLevelConfiguration', 'name');
    if (checkPresent(name, namePath, errors, 'must reference a priority level')) {
      addInvalid(validateDns1123Subdomain(name), namePath, name, errors);
    }
    for (const [i, rule] of (spec.rules ?? []).entries()) {
      checkFlowRule(rule, specPath.child('rules').index(i), errors);
    }
  });

function checkFlowRule(rule: flowcontrolV1.PolicyRulesWithSubjects, at: FieldPath, errors: Errors): void {
  const { resourceRules = [], nonResourceRules = [] } = rule;
  const subjects: readonly flowcontrolV1.Subject[] = rule.subjects ?? [];
  if (subjects.length === 0) {
    errors.push(required(at.child('subjects'), 'subjects must contain at least one value'));
  }
  for (const [i, subject] of subjects.entries()) checkSubject(subject, at.child('subjects').index(i), errors);
  if (resourceRules.length + nonResourceRules.length === 0) {
    const why = 'at least one of resourceRules and nonResourceRules has to be non-empty';
    errors.push(required(at, why));
  }
  for (const [i, resourceRule] of resourceRules.entries()) {
    checkResourceRule(resourceRule, at.child('resourceRules').index(i), errors);
  }
  for (const [i, other] of nonResourceRules.entries()) {
    checkNonResourceRule(other, at.child('nonResourceRules').index(i), errors);
  }
}

const SUBJECT_FIELDS = { ServiceAccount: 'serviceAccount', User: 'user', Group: 'group' } as const;

function checkSubject(subject: flowcontrolV1.Subject, at: FieldPath, errors: Errors): void {
  const kind: string = subject.kind;
  const own = SUBJECT_FIELDS[kind as keyof typeof SUBJECT_FIELDS];
  if (!Object.hasOwn(SUBJECT_FIELDS, kind)) {
    errors.push(notSupported(at.child('kind'), kind, ['Group', 'ServiceAccount', 'User']));
    return;
  }
  const path = at.child(own);
  const given = subject[own];
  if (given === undefined) errors.push(required(path, `${own} is required when subject kind is '${kind}'`));
  else checkSubjectName(given, own, path, errors);
  for (const [otherKind, field] of Object.entries(SUBJECT_FIELDS)) {
    if (field === own || subject[field] === undefined) continue;
    const why = `${field} is forbidden when subject kind is not '${otherKind}'`;
    errors.push(fieldForbidden(at.child(field), why));
  }
}

function checkSubjectName(
  subject: { readonly name: string; readonly namespace?: string },
  field: string,
  at: FieldPath,
  errors: Errors,
): void {
  const { name, namespace = '' } = subject;
  const isNamed = checkPresent(name, at.child('name'), errors);
  if (field !== 'serviceAccount') return;
  if (isNamed && name !== '*') addInvalid(validateDns1123Subdomain(name), at.child('name'), name, errors);
  const path = at.child('namespace');
  if (checkPresent(namespace, path, errors, 'must specify namespace for service account')) {
    addInvalid(validateDns1123Label(namespace), path, namespace, errors);
  }
}

/** `*` stands alone. True when the entries have to be looked at. */
function checkWildcard(list: readonly string[], nouns: string, at: FieldPath, errors: Errors): boolean {
  if (!list.includes('*')) return true;
  if (list.length > 1) errors.push(invalid(at, list, `if '*' is present, must not specify other ${nouns}`));
  return false;
}

function checkVerbs(given: readonly string[] | null | undefined, at: FieldPath, errors: Errors): void {
  const verbs = given ?? [];
  const path = at.child('verbs');
  if (verbs.length === 0) errors.push(required(path, 'verbs must contain at least one value'));
  else if (checkWildcard(verbs, 'verbs', path, errors) && !verbs.every((verb) => VERBS.includes(verb))) {
    errors.push(notSupported(path, verbs, VERBS));
  }
}

function checkResourceRule(rule: flowcontrolV1.ResourcePolicyRule, at: FieldPath, errors: Errors): void {
  checkVerbs(rule.verbs, at, errors);
  for (const [field, noun, nouns] of [
    ['apiGroups', 'api group', 'api groups'],
    ['resources', 'resource', 'resources'],
  ] as const) {
    const list: readonly string[] = rule[field] ?? [];
    if (list.length === 0) {
      errors.push(required(at.child(field), `resource rules must supply at least one ${noun}`));
    } else checkWildcard(list, nouns, at.child(field), errors);
  }
  const namespaces = rule.namespaces ?? [];
  const path = at.child('namespaces');
  if (namespaces.length === 0 && rule.clusterScope !== true) {
    const why = 'resource rules that are not cluster scoped must supply at least one namespace';
    errors.push(required(path, why));
  } else if (checkWildcard(namespaces, 'namespaces', path, errors)) {
    const head = "each member of this list must be '*' or a DNS-1123 label; ";
    for (const [i, name] of namespaces.entries()) {
      const messages = validateDns1123Label(name).map((text) => `${head}${text}`);
      addInvalid(messages, path.index(i), name, errors);
    }
  }
}

function checkNonResourceRule(
  rule: flowcontrolV1.NonResourcePolicyRule,
  at: FieldPath,
  errors: Errors,
): void {
  checkVerbs(rule.verbs, at, errors);
  const urls: readonly string[] = rule.nonResourceURLs ?? [];
  const path = at.child('nonResourceURLs');
  if (urls.length === 0) errors.push(required(path, 'nonResourceURLs must contain at least one value'));
  else if (checkWildcard(urls, 'non-resource URLs', path, errors)) {
    for (const [i, url] of urls.entries()) {
      const problem = urlProblem(url);
      if (problem !== undefined) errors.push(invalid(path.index(i), url, problem));
    }
  }
}

function urlProblem(url: string): string | undefined {
  if (url === '') return 'must not be empty';
  if (url === '/') return undefined;
  if (!url.startsWith('/')) return 'must start with slash';
  if (url.includes(' ')) return 'must not contain white-space';
  if (url.includes('//')) return 'must not contain double slash';
  const stars = url.split('*').length - 1;
  return stars > 1 || (stars === 1 && !url.endsWith('/*'))
    ? 'wildcard can only do suffix matching'
    : undefined;
}

export const validateFlowStatus = ({ status }: FlowSchema | PriorityLevel): readonly FieldError[] =>
  collect((errors) => {
    const types = new Set<string>();
    for (const [i, { type = '' }] of (status.conditions ?? []).entries()) {
      const path = new FieldPath('status.conditions').index(i).child('type');
      if (types.has(type)) errors.push(duplicate(path, type));
      types.add(type);
      if (type === '') errors.push(required(path));
    }
  });

export const validatePriorityLevel = ({ metadata, spec }: PriorityLevel): readonly FieldError[] =>
  collect((errors) => {
    const type: string = spec.type;
    const path = specPath.child('type');
    if ((metadata.name === 'exempt') !== (type === 'Exempt')) {
      errors.push(invalid(path, type, "must be 'Exempt' if and only if `name` is 'exempt'"));
    }
    const { exempt, limited } = spec;
    if (type === 'Exempt') {
      if (limited !== undefined) {
        errors.push(fieldForbidden(specPath.child('limited'), 'must be nil if the type is not Limited'));
      }
      if (exempt !== undefined) checkShares(exempt, specPath.child('exempt'), errors);
    } else if (type === 'Limited') {
      if (exempt !== undefined) {
        errors.push(fieldForbidden(specPath.child('exempt'), 'must be nil if the type is Limited'));
      }
      if (limited === undefined) {
        errors.push(required(specPath.child('limited'), 'must not be empty when type is Limited'));
      } else checkLimited(limited, specPath.child('limited'), errors);
    } else if (type === '') errors.push(required(path));
    else errors.push(notSupported(path, type, ['Exempt', 'Limited']));
  });

interface Shares {
  readonly nominalConcurrencyShares?: number;
  readonly lendablePercent?: number;
}

function checkShares({ nominalConcurrencyShares: shares }: Shares, at: FieldPath, errors: Errors): void {
  if (shares === undefined || shares >= 0) return;
  errors.push(invalid(at.child('nominalConcurrencyShares'), shares, 'must be a non-negative integer'));
}

function checkLimited(
  limited: flowcontrolV1.LimitedPriorityLevelConfiguration,
  at: FieldPath,
  errors: Errors,
): void {
  checkShares(limited, at, errors);
  const response = limited.limitResponse;
  const type: string = response?.type ?? '';
  const path = at.child('limitResponse');
  const queuing = response?.queuing;
  if (type === 'Reject') {
    if (queuing !== undefined) {
      const why = 'must be nil if limited.limitResponse.type is not Limited';
      errors.push(fieldForbidden(path.child('queuing'), why));
    }
  } else if (type === 'Queue') {
    if (queuing === undefined) {
      const why = 'must not be empty if limited.limitResponse.type is Limited';
      errors.push(required(path.child('queuing'), why));
    } else checkQueuing(queuing, path.child('queuing'), errors);
  } else if (type === '') errors.push(required(path.child('type')));
  else errors.push(notSupported(path.child('type'), type, ['Queue', 'Reject']));
  const lendable = limited.lendablePercent;
  if (lendable !== undefined && (lendable < 0 || lendable > 100)) {
    errors.push(invalid(at.child('lendablePercent'), lendable, 'must be between 0 and 100, inclusive'));
  }
  const borrowing = limited.borrowingLimitPercent;
  if (borrowing !== undefined && borrowing < 0) {
    const why = 'if specified, must be a non-negative integer';
    errors.push(invalid(at.child('borrowingLimitPercent'), borrowing, why));
  }
}

const MAX_QUEUES = 10_000_000;
const MAX_HASH_BITS = 60;

function checkQueuing(queuing: flowcontrolV1.QueuingConfiguration, at: FieldPath, errors: Errors): void {
  const { queueLengthLimit, queues, handSize } = queuing;
  if (queueLengthLimit <= 0) {
    errors.push(invalid(at.child('queueLengthLimit'), queueLengthLimit, 'must be positive'));
  }
  if (queues <= 0) errors.push(invalid(at.child('queues'), queues, 'must be positive'));
  else if (queues > MAX_QUEUES) {
    errors.push(invalid(at.child('queues'), queues, `must not be greater than ${MAX_QUEUES}`));
  }
  const path = at.child('handSize');
  if (handSize <= 0) errors.push(invalid(path, handSize, 'must be positive'));
  else if (handSize > queues) {
    errors.push(invalid(path, handSize, `should not be greater than queues (${queues})`));
  } else {
    // Dealing a hand of different queues takes that many bits of a hash.
    const bits = Array.from({ length: handSize }, (_, i) => Math.log2(queues - i)).reduce((a, b) => a + b, 0);
    if (Math.ceil(bits) <= MAX_HASH_BITS) return;
    const why = `required entropy bits of deckSize ${queues} and handSize ${handSize} should not be greater than ${MAX_HASH_BITS}`;
    errors.push(invalid(path, handSize, why));
  }
}
