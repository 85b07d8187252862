/**
 * Whether a set of rules is contained in another: what a user must hold to give it away.
 *
 * The asked rules are broken into the smallest ones (one verb, group, resource and name each). Such a rule is either
 * covered by a single held rule or by none, so no combination has to be tried.
 */
import type { rbacV1 } from '#api';

type Rule = rbacV1.PolicyRule;

/** One verb and one resource (with at most one name), or one verb and one path, per rule. */
export function breakDownRule(rule: Rule): readonly Rule[] {
  const parts: Rule[] = [];
  const names = rule.resourceNames ?? [];
  for (const group of rule.apiGroups ?? []) {
    for (const resource of rule.resources ?? []) {
      for (const verb of rule.verbs) {
        const part = { verbs: [verb], apiGroups: [group], resources: [resource] };
        if (names.length === 0) parts.push(part);
        for (const name of names) parts.push({ ...part, resourceNames: [name] });
      }
    }
  }
  for (const path of rule.nonResourceURLs ?? []) {
    for (const verb of rule.verbs) parts.push({ verbs: [verb], nonResourceURLs: [path] });
  }
  return parts;
}

const holds = (held: readonly string[] | undefined, asked: string): boolean =>
  held !== undefined && (held.includes('*') || held.includes(asked));

function holdsResource(held: readonly string[] | undefined, asked: string): boolean {
  if (holds(held, asked)) return true;
  const slash = asked.indexOf('/');
  return slash >= 0 && held?.includes(`*${asked.slice(slash)}`) === true;
}

/** `/api/*` covers `/api/v1` and `/api/v1/*`. */
const holdsPath = (held: readonly string[] | undefined, asked: string): boolean =>
  held?.some(
    (pattern) =>
      pattern === asked || (pattern.endsWith('*') && asked.startsWith(pattern.replace(/\*+$/, ''))),
  ) === true;

function covers(held: Rule, part: Rule): boolean {
  if (!part.verbs.every((verb) => holds(held.verbs, verb))) return false;
  if (part.nonResourceURLs !== undefined) {
    return part.nonResourceURLs.every((path) => holdsPath(held.nonResourceURLs, path));
  }
  const heldNames = held.resourceNames ?? [];
  const partNames = part.resourceNames ?? [];
  return (
    (part.apiGroups ?? []).every((group) => holds(held.apiGroups, group)) &&
    (part.resources ?? []).every((resource) => holdsResource(held.resources, resource)) &&
    (heldNames.length === 0 || (partNames.length > 0 && partNames.every((name) => heldNames.includes(name))))
  );
}

/** The smallest rules of `asked` that `held` does not cover, in the order asked. Empty: all covered. */
export function uncoveredRules(held: readonly Rule[], asked: readonly Rule[]): readonly Rule[] {
  return asked.flatMap(breakDownRule).filter((part) => !held.some((rule) => covers(rule, part)));
}

/** Joins smallest rules that differ in the verb alone. */
function compact(rules: readonly Rule[]): readonly Rule[] {
  const byTarget = new Map<string, { rule: Rule; verbs: string[] }>();
  const out: { rule: Rule; verbs: string[] }[] = [];
  for (const rule of rules) {
    if (rule.nonResourceURLs !== undefined) {
      out.push({ rule, verbs: [...rule.verbs] });
      continue;
    }
    const key = JSON.stringify([rule.apiGroups, rule.resources, rule.resourceNames]);
    const seen = byTarget.get(key);
    if (seen === undefined) {
      const entry = { rule, verbs: [...rule.verbs] };
      byTarget.set(key, entry);
      out.push(entry);
    } else seen.verbs.push(...rule.verbs);
  }
  return out.map(({ rule, verbs }) => ({ ...rule, verbs }));
}

/** As Go prints a list of strings with `%q`: `["a" "b"]`. */
export const quoteList = (texts: readonly string[]): string =>
  `[${texts.map((text) => JSON.stringify(text)).join(' ')}]`;

function describeRule(rule: Rule): string {
  const parts = (
    [
      ['APIGroups', rule.apiGroups],
      ['Resources', rule.resources],
      ['NonResourceURLs', rule.nonResourceURLs],
      ['ResourceNames', rule.resourceNames],
      ['Verbs', rule.verbs],
    ] as const
  )
    .filter(([, values]) => values !== undefined && values.length > 0)
    .map(([name, values]) => `${name}:${quoteList(values ?? [])}`);
  return `{${parts.join(', ')}}`;
}

/** One line a rule, sorted, verbs of the same target joined: the list in an escalation error. */
export function describeRules(rules: readonly Rule[]): string {
  return [...new Set(compact(rules).map(describeRule))].sort().join('\n');
}
