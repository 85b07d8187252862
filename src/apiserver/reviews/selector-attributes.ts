/**
 * Selectors as a review carries them: raw text or a list of requirements. What cannot be understood is left out, which
 * asks a broader question and so never allows more, and is mentioned in the answer (KEP-4601).
 */
import type { authorizationV1 } from '#api';

export interface ParsedSelectors {
  readonly attributes: { readonly fieldSelector?: string; readonly labelSelector?: string };
  readonly problem: string;
}

interface Requirement {
  readonly key: string;
  readonly operator: string;
  readonly values?: readonly string[];
}

function fieldRequirement({ key, operator, values = [] }: Requirement): string | undefined {
  if (values.length !== 1) return undefined;
  if (operator === 'In') return `${key}=${values[0]}`;
  return operator === 'NotIn' ? `${key}!=${values[0]}` : undefined;
}

function labelRequirement({ key, operator, values = [] }: Requirement): string | undefined {
  switch (operator) {
    case 'In':
    case 'NotIn':
      return values.length === 0
        ? undefined
        : `${key} ${operator === 'In' ? 'in' : 'notin'} (${values.join(',')})`;
    case 'Exists':
      return values.length === 0 ? key : undefined;
    case 'DoesNotExist':
      return values.length === 0 ? `!${key}` : undefined;
    default:
      return undefined;
  }
}

function parse(
  selector: { readonly rawSelector?: string; readonly requirements?: readonly Requirement[] } | undefined,
  print: (requirement: Requirement) => string | undefined,
  name: string,
): { readonly text: string | undefined; readonly problem: string | undefined } {
  const raw = selector?.rawSelector ?? '';
  if (raw !== '') return { text: raw, problem: undefined };
  const requirements = selector?.requirements ?? [];
  const understood = requirements.map(print).filter((text) => text !== undefined);
  const how = understood.length === 0 ? 'ignored' : 'partially ignored';
  return {
    text: understood.length === 0 ? undefined : understood.join(','),
    problem:
      understood.length === requirements.length
        ? undefined
        : `spec.resourceAttributes.${name} ${how} due to parse error`,
  };
}

export function parseSelectors(resource: authorizationV1.ResourceAttributes | undefined): ParsedSelectors {
  const field = parse(resource?.fieldSelector, fieldRequirement, 'fieldSelector');
  const label = parse(resource?.labelSelector, labelRequirement, 'labelSelector');
  return {
    attributes: { fieldSelector: field.text, labelSelector: label.text },
    problem: [field.problem, label.problem].filter((problem) => problem !== undefined).join('; '),
  };
}
