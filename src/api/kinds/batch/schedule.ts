/** Cron schedules and time zones, judged as the controller's parser would. */
import { type FieldPath, invalid } from '#machinery';
import type { batchV1 } from '../../types/index.ts';
import type { Errors } from '../field-rules.ts';

export function checkSchedule(
  { schedule, timeZone }: batchV1.CronJobSpec,
  allowsZone: boolean,
  at: FieldPath,
  errors: Errors,
): void {
  const problem = scheduleProblem(schedule);
  if (problem !== undefined) errors.push(invalid(at, schedule, problem));
  if (!schedule.includes('TZ')) return;
  if (!allowsZone) {
    const why = 'cannot use TZ or CRON_TZ in schedule, use timeZone field instead';
    errors.push(invalid(at, schedule, why));
  } else if (timeZone !== undefined) {
    const why = 'cannot use both timeZone field and TZ or CRON_TZ in schedule';
    errors.push(invalid(at, schedule, why));
  }
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

interface Bounds {
  readonly min: number;
  readonly max: number;
  readonly names?: ReadonlyMap<string, number>;
}

const numbered = (names: readonly string[], first: number): ReadonlyMap<string, number> =>
  new Map(names.map((name, i) => [name, first + i]));

const FIELDS: readonly Bounds[] = [
  { min: 0, max: 59 },
  { min: 0, max: 23 },
  { min: 1, max: 31 },
  { min: 1, max: 12, names: numbered(MONTHS, 1) },
  { min: 0, max: 6, names: numbered(DAYS, 0) },
];

const DESCRIPTORS = new Set([
  '@yearly',
  '@annually',
  '@monthly',
  '@weekly',
  '@daily',
  '@midnight',
  '@hourly',
]);

/** What is wrong with a schedule of five fields or a descriptor; undefined when it can be read. */
export function scheduleProblem(text: string): string | undefined {
  let schedule = text;
  if (schedule === '') return 'empty spec string';
  if (schedule.startsWith('TZ=') || schedule.startsWith('CRON_TZ=')) {
    const space = schedule.indexOf(' ');
    const zone = schedule.slice(schedule.indexOf('=') + 1, space);
    if (!isTimeZone(zone)) return `provided bad location ${zone}: unknown time zone ${zone}`;
    schedule = schedule.slice(space).trim();
  }
  if (schedule.startsWith('@')) return descriptorProblem(schedule);
  const fields = schedule.split(/\s+/).filter((field) => field !== '');
  if (fields.length !== FIELDS.length) {
    return `expected exactly 5 fields, found ${fields.length}: [${fields.join(' ')}]`;
  }
  for (const [i, bounds] of FIELDS.entries()) {
    const problem = fieldProblem(fields[i] ?? '', bounds);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function descriptorProblem(text: string): string | undefined {
  if (DESCRIPTORS.has(text)) return undefined;
  const every = '@every ';
  if (text.startsWith(every)) {
    const duration = text.slice(every.length);
    if (/^[+-]?(?:\d+(?:\.\d*)?(?:ns|us|µs|ms|s|m|h))+$/.test(duration) || duration === '0') return undefined;
    return `failed to parse duration ${text}: time: invalid duration ${JSON.stringify(duration)}`;
  }
  return `unrecognized descriptor: ${text}`;
}

function fieldProblem(field: string, bounds: Bounds): string | undefined {
  for (const expression of field.split(',').filter((part) => part !== '')) {
    const problem = rangeProblem(expression, bounds);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function rangeProblem(expression: string, bounds: Bounds): string | undefined {
  const [range = '', stepText, ...moreSteps] = expression.split('/');
  const [low = '', high, ...moreBounds] = range.split('-');
  let start = bounds.min;
  let end = bounds.max;
  if (low !== '*' && low !== '?') {
    const first = numberOf(low, bounds);
    if (typeof first === 'string') return first;
    start = first;
    if (moreBounds.length > 0) return `too many hyphens: ${expression}`;
    const last = high === undefined ? first : numberOf(high, bounds);
    if (typeof last === 'string') return last;
    end = last;
  }
  if (moreSteps.length > 0) return `too many slashes: ${expression}`;
  let step = 1;
  if (stepText !== undefined) {
    const parsed = parseNumber(stepText);
    if (typeof parsed === 'string') return parsed;
    step = parsed;
    if (high === undefined) end = bounds.max;
  }
  if (start < bounds.min) return `beginning of range (${start}) below minimum (${bounds.min}): ${expression}`;
  if (end > bounds.max) return `end of range (${end}) above maximum (${bounds.max}): ${expression}`;
  if (start > end) return `beginning of range (${start}) beyond end of range (${end}): ${expression}`;
  return step === 0 ? `step of range should be a positive number: ${expression}` : undefined;
}

const numberOf = (text: string, { names }: Bounds): number | string =>
  names?.get(text.toLowerCase()) ?? parseNumber(text);

function parseNumber(text: string): number | string {
  if (!/^[+-]?\d+$/.test(text)) {
    const quoted = JSON.stringify(text);
    return `failed to parse int from ${text}: strconv.Atoi: parsing ${quoted}: invalid syntax`;
  }
  const number = Number(text);
  return number < 0 ? `negative number (${number}) not allowed: ${text}` : number;
}

function isTimeZone(name: string): boolean {
  if (name === '' || name === 'UTC' || name === 'Local') return true;
  try {
    const { timeZone } = new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions();
    // Names are case-sensitive to Go; to ICU they are not.
    return timeZone === name || timeZone.toLowerCase() !== name.toLowerCase();
  } catch {
    return false;
  }
}

export function checkTimeZone(name: string | undefined, at: FieldPath, errors: Errors): void {
  if (name === undefined) return;
  if (name === '') {
    errors.push(invalid(at, name, 'timeZone must be nil or non-empty string'));
    return;
  }
  const isPart = (part: string): boolean =>
    part !== '.' && part !== '..' && !part.startsWith('-') && /^[A-Za-z._0-9+-]{1,14}$/.test(part);
  if (!name.split('/').every(isPart)) {
    errors.push(invalid(at, name, `unknown time zone ${name}`));
    return;
  }
  if (name.toLowerCase() === 'local') {
    const why = 'timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones';
    errors.push(invalid(at, name, why));
  }
  // To ICU offsets are names too.
  if (!isTimeZone(name) || /^[+-]\d/.test(name)) errors.push(invalid(at, name, `unknown time zone ${name}`));
}
