/** The policy of a namespace, from its labels `pod-security.kubernetes.io/<mode>[-version]`. */
import { type FieldError, FieldPath, invalid } from '#machinery';
import { baselineChecks } from './baseline-checks.ts';
import type { CheckPod, PodCheck, PodLike } from './check.ts';
import { restrictedChecks } from './restricted-checks.ts';

export type Level = 'privileged' | 'baseline' | 'restricted';
export const MODES = ['enforce', 'audit', 'warn'] as const;
export type Mode = (typeof MODES)[number];

/** `minor` Infinity: `latest`. */
export interface LevelVersion {
  readonly level: Level;
  readonly minor: number;
}

export type Policy = Readonly<Record<Mode, LevelVersion>>;

const LABEL_PREFIX = 'pod-security.kubernetes.io/';
const LEVELS: readonly Level[] = ['privileged', 'baseline', 'restricted'];
const PRIVILEGED: LevelVersion = { level: 'privileged', minor: Infinity };

export const strictness = (level: Level): number => LEVELS.indexOf(level);

/** `restricted:latest`, `baseline:v1.30`. */
export const describeLevel = ({ level, minor }: LevelVersion): string =>
  `${level}:${minor === Infinity ? 'latest' : `v1.${minor}`}`;

export const sameLevel = (a: LevelVersion, b: LevelVersion): boolean =>
  a.level === b.level && a.minor === b.minor;

/** What cannot be read counts as strict where it is enforced, and as nothing where it only warns. */
export function policyOf(labels: Readonly<Record<string, string>> = {}): {
  readonly policy: Policy;
  readonly errors: readonly FieldError[];
} {
  const errors: FieldError[] = [];
  const path = new FieldPath('metadata').child('labels');
  const policy: Record<Mode, LevelVersion> = { enforce: PRIVILEGED, audit: PRIVILEGED, warn: PRIVILEGED };
  for (const mode of MODES) {
    const levelLabel = `${LABEL_PREFIX}${mode}`;
    const asked = labels[levelLabel];
    const known = LEVELS.find((level) => level === asked);
    if (asked !== undefined && known === undefined) {
      errors.push(invalid(path.key(levelLabel), asked, `must be one of ${LEVELS.join(', ')}`));
    }
    const fallback = asked !== undefined && mode === 'enforce' ? 'restricted' : 'privileged';
    const versionLabel = `${LABEL_PREFIX}${mode}-version`;
    const version = labels[versionLabel] ?? 'latest';
    const minor = /^v1\.(0|[1-9]\d*)$/.exec(version)?.[1];
    if (minor === undefined && version !== 'latest') {
      errors.push(invalid(path.key(versionLabel), version, 'must be "latest" or "v1.x"'));
    }
    policy[mode] = { level: known ?? fallback, minor: minor === undefined ? Infinity : Number(minor) };
  }
  const enforced = LEVELS.find((level) => level === labels[`${LABEL_PREFIX}enforce`]);
  // Whoever enforces warns as well, so that workloads are told before their pods are refused.
  if (labels[`${LABEL_PREFIX}warn`] === undefined && enforced !== undefined && enforced !== 'privileged') {
    const ownVersion = labels[`${LABEL_PREFIX}warn-version`] !== undefined;
    policy.warn = { level: enforced, minor: ownVersion ? policy.warn.minor : policy.enforce.minor };
  }
  return { policy, errors };
}

const checksByLevel = new Map<string, readonly CheckPod[]>();
const NEWEST_REVISION = Math.max(
  ...[...baselineChecks, ...restrictedChecks].flatMap(({ revisions }) =>
    revisions.map(({ sinceMinor }) => sinceMinor),
  ),
);

function checksOf({ level, minor }: LevelVersion): readonly CheckPod[] {
  if (level === 'privileged') return [];
  const effective = Math.min(minor, NEWEST_REVISION);
  const key = `${level}:${effective}`;
  let checks = checksByLevel.get(key);
  if (checks === undefined) {
    const revisionOf = ({ revisions }: PodCheck) =>
      revisions.findLast(({ sinceMinor }) => sinceMinor <= effective);
    const strict = level === 'restricted' ? restrictedChecks : [];
    const replaced = new Set(strict.flatMap((check) => revisionOf(check)?.replaces ?? []));
    checks = [...baselineChecks.filter(({ id }) => !replaced.has(id)), ...strict].flatMap((check) => {
      const revision = revisionOf(check);
      return revision === undefined ? [] : [revision.check];
    });
    checksByLevel.set(key, checks);
  }
  return checks;
}

export interface Evaluation {
  readonly allowed: boolean;
  /** Reasons alone: `host namespaces, privileged`. */
  readonly reasons: string;
  /** With details: `host namespaces (hostNetwork=true), privileged (container "a" must not …)`. */
  readonly details: string;
}

export function evaluate(levelVersion: LevelVersion, pod: PodLike): Evaluation {
  const violations = checksOf(levelVersion).flatMap((check) => check(pod) ?? []);
  return {
    allowed: violations.length === 0,
    reasons: violations.map(({ reason }) => reason).join(', '),
    details: violations
      .map(({ reason, detail }) => (detail === '' ? reason : `${reason} (${detail})`))
      .join(', '),
  };
}
