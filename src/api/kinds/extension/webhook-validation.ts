/** MutatingWebhookConfiguration, ValidatingWebhookConfiguration. */
import {
  deepEqual,
  duplicate,
  type FieldError,
  FieldPath,
  invalid,
  required,
  validateDns1123Subdomain,
} from '#machinery';
import type { admissionregistrationV1 } from '../../types/index.ts';
import { checkPresent, checkSupported, collect, type Errors, isEmpty } from '../field-rules.ts';
import { checkLabelSelector } from '../metadata-rules.ts';
import {
  checkMatchConditions,
  checkReviewVersions,
  checkRule,
  FAILURE_POLICIES,
  MATCH_POLICIES,
  REINVOCATION_POLICIES,
} from './rule-validation.ts';
import { checkWebhookAddress } from './webhook-address.ts';

type Webhook = admissionregistrationV1.ValidatingWebhook & {
  readonly reinvocationPolicy?: string;
};
interface Configuration {
  readonly webhooks?: readonly Webhook[];
}

const REVIEW_VERSIONS = ['v1', 'v1beta1'];
const HARMLESS = ['None', 'NoneOnDryRun'];
const SIDE_EFFECTS = [...HARMLESS, 'Some', 'Unknown'];
const MAX_TIMEOUT_SECONDS = 30;
const NAME_SEGMENTS = 3;

/** What an update keeps from before the rules may stay. */
interface WebhookOptions {
  readonly sideEffects: readonly string[];
  readonly reviewVersions: readonly string[];
  readonly hasUniqueNames: boolean;
  readonly checksConditions: boolean;
}

const isHarmless = ({ sideEffects }: Webhook): boolean =>
  sideEffects !== undefined && HARMLESS.includes(sideEffects);
const isUnderstood = ({ admissionReviewVersions }: Webhook): boolean => {
  const versions = admissionReviewVersions ?? [];
  return versions.length === 0 || versions.some((version) => REVIEW_VERSIONS.includes(version));
};
const conditionsOf = (webhooks: readonly Webhook[]): readonly unknown[] =>
  webhooks.map(({ matchConditions = [] }) => matchConditions);

const optionsOfUpdate = (webhooks: readonly Webhook[], old: readonly Webhook[]): WebhookOptions => ({
  sideEffects: old.every(isHarmless) ? HARMLESS : SIDE_EFFECTS,
  reviewVersions: old.every(isUnderstood) ? REVIEW_VERSIONS : [],
  hasUniqueNames: new Set(old.map(({ name }) => name)).size === old.length,
  checksConditions: !deepEqual(conditionsOf(webhooks), conditionsOf(old)),
});

const optionsOfCreate: WebhookOptions = {
  sideEffects: HARMLESS,
  reviewVersions: REVIEW_VERSIONS,
  hasUniqueNames: true,
  checksConditions: true,
};

export const validateWebhooks = (
  { webhooks = [] }: Configuration,
  old?: Configuration,
): readonly FieldError[] =>
  collect((errors) => {
    const options = old === undefined ? optionsOfCreate : optionsOfUpdate(webhooks, old.webhooks ?? []);
    const names = new Set<string>();
    for (const [i, webhook] of webhooks.entries()) {
      const path = new FieldPath('webhooks').index(i);
      const { name } = webhook;
      checkWebhook(webhook, options, path, errors);
      checkReviewVersions(
        webhook.admissionReviewVersions ?? [],
        { accepted: options.reviewVersions, whenEmpty: `must specify one of ${REVIEW_VERSIONS.join(', ')}` },
        path.child('admissionReviewVersions'),
        errors,
      );
      if (options.hasUniqueNames && name !== '' && names.has(name))
        errors.push(duplicate(path.child('name'), name));
      names.add(name);
    }
  });

function checkWebhook(webhook: Webhook, options: WebhookOptions, at: FieldPath, errors: Errors): void {
  const { timeoutSeconds, sideEffects } = webhook;
  checkFullName(webhook.name, at.child('name'), errors);
  for (const [i, rule] of (webhook.rules ?? []).entries())
    checkRule(rule, at.child('rules').index(i), errors);
  checkSupported(webhook.failurePolicy, FAILURE_POLICIES, at.child('failurePolicy'), errors);
  checkSupported(webhook.matchPolicy, MATCH_POLICIES, at.child('matchPolicy'), errors);
  if (isEmpty(sideEffects)) {
    errors.push(required(at.child('sideEffects'), `must specify one of ${options.sideEffects.join(', ')}`));
  } else checkSupported(sideEffects, options.sideEffects, at.child('sideEffects'), errors);
  if (timeoutSeconds !== undefined && (timeoutSeconds < 1 || timeoutSeconds > MAX_TIMEOUT_SECONDS)) {
    const why = `the timeout value must be between 1 and ${MAX_TIMEOUT_SECONDS} seconds`;
    errors.push(invalid(at.child('timeoutSeconds'), timeoutSeconds, why));
  }
  checkLabelSelector(webhook.namespaceSelector, at.child('namespaceSelector'), errors);
  checkLabelSelector(webhook.objectSelector, at.child('objectSelector'), errors);
  checkSupported(webhook.reinvocationPolicy, REINVOCATION_POLICIES, at.child('reinvocationPolicy'), errors);
  checkWebhookAddress(webhook.clientConfig ?? {}, at.child('clientConfig'), errors);
  if (!options.checksConditions) return;
  checkMatchConditions(webhook.matchConditions ?? [], at.child('matchConditions'), errors);
}

function checkFullName(name: string, at: FieldPath, errors: Errors): void {
  if (!checkPresent(name, at, errors)) return;
  const messages = validateDns1123Subdomain(name);
  if (messages.length > 0) errors.push(invalid(at, name, messages.join(',')));
  else if (name.split('.').length < NAME_SEGMENTS) {
    errors.push(invalid(at, name, 'should be a domain with at least three segments separated by dots'));
  }
}
