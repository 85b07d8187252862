/** Durations as Go writes them: `1h30m`, `250ms`. Source: https://pkg.go.dev/time#ParseDuration */

const NANOS_PER_UNIT: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};
const INT64_LIMIT = 2n ** 63n;
const quote = (text: string): string => JSON.stringify(text);

interface Nanos {
  readonly nanos?: bigint;
  readonly error?: string;
}

function parseNanos(text: string): Nanos {
  const invalid = { error: `time: invalid duration ${quote(text)}` };
  const negative = text.startsWith('-');
  let rest = /^[+-]/.test(text) ? text.slice(1) : text;
  if (rest === '0') return { nanos: 0n };
  if (rest === '') return invalid;
  let total = 0n;
  while (rest !== '') {
    const number = /^(\d*)(?:\.(\d*))?/.exec(rest);
    const [whole = '', integer = '', fraction = ''] = number ?? [];
    if (integer === '' && fraction === '') return invalid;
    rest = rest.slice(whole.length);
    const unit = /^[^.\d]*/.exec(rest)?.[0] ?? '';
    if (unit === '') return { error: `time: missing unit in duration ${quote(text)}` };
    rest = rest.slice(unit.length);
    const nanosPerUnit = NANOS_PER_UNIT[unit];
    if (nanosPerUnit === undefined)
      return { error: `time: unknown unit ${quote(unit)} in duration ${quote(text)}` };
    if (integer.length > 19) return invalid;
    total += BigInt(integer === '' ? '0' : integer) * BigInt(nanosPerUnit);
    // Go, too, takes the fraction as a floating point number of nanoseconds, and cuts it off.
    if (fraction !== '')
      total += BigInt(
        Math.trunc(Number(fraction.slice(0, 18)) * (nanosPerUnit / 10 ** Math.min(fraction.length, 18))),
      );
    if (total > INT64_LIMIT) return invalid;
  }
  if (total === INT64_LIMIT && !negative) return invalid;
  return { nanos: negative ? -total : total };
}

/** Nanoseconds as Go prints a `time.Duration`: `1h30m0s`, `1.5s`, `250µs`, `0s`. */
export function formatNanos(nanos: bigint): string {
  if (nanos === 0n) return '0s';
  const sign = nanos < 0n ? '-' : '';
  const total = nanos < 0n ? -nanos : nanos;
  if (total < 1_000_000_000n) {
    const [divisor, unit]: [bigint, string] =
      total < 1000n ? [1n, 'ns'] : total < 1_000_000n ? [1000n, 'µs'] : [1_000_000n, 'ms'];
    return `${sign}${withFraction(total, divisor)}${unit}`;
  }
  const seconds = total / 1_000_000_000n;
  const tail = `${withFraction((seconds % 60n) * 1_000_000_000n + (total % 1_000_000_000n), 1_000_000_000n)}s`;
  const minutes = seconds / 60n;
  if (minutes === 0n) return sign + tail;
  const hours = minutes / 60n;
  return `${sign}${hours === 0n ? '' : `${hours}h`}${minutes % 60n}m${tail}`;
}

function withFraction(value: bigint, divisor: bigint): string {
  const whole = value / divisor;
  const rest = value % divisor;
  if (rest === 0n) return `${whole}`;
  const digits = rest
    .toString()
    .padStart(divisor.toString().length - 1, '0')
    .replace(/0+$/, '');
  return `${whole}.${digits}`;
}

/** Milliseconds. @throws Error with Go's message. */
export function parseDuration(text: string): number {
  const { nanos, error } = parseNanos(text);
  if (nanos === undefined) throw new Error(error ?? 'time: invalid duration');
  return Number(nanos) / 1e6;
}

/** Milliseconds as Go prints a duration. */
export function formatDuration(ms: number): string {
  return formatNanos(BigInt(Math.round(ms * 1e6)));
}

/** The text as Go prints it after parsing, or Go's error. */
export function canonicalDuration(text: string): { readonly text?: string; readonly error?: string } {
  const { nanos, error } = parseNanos(text);
  return nanos === undefined ? { error: error ?? 'time: invalid duration' } : { text: formatNanos(nanos) };
}

/** Nanoseconds of a text in Go's form. @throws Error with Go's message. */
export function durationNanos(text: string): bigint {
  const { nanos, error } = parseNanos(text);
  if (nanos === undefined) throw new Error(error ?? 'time: invalid duration');
  return nanos;
}
