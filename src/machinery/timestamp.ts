/**
 * `metav1.Time` and `MicroTime`: RFC 3339 in, UTC with whole seconds (or exactly six digits) out, and Go's zero
 * time, the year 1, as null. Errors are those of Go's `time.Parse`.
 */

const SECOND_LAYOUT = '2006-01-02T15:04:05Z07:00';
const MICRO_LAYOUT = '2006-01-02T15:04:05.000000Z07:00';
/** 0001-01-01T00:00:00Z */
const ZERO_TIME_MS = -62135596800000;

export interface Instant {
  /** Seconds since 1970. */
  readonly seconds: number;
  /** 0 to 999,999,999. */
  readonly nanos: number;
}

type Parsed = { readonly instant: Instant; readonly error?: undefined } | { readonly error: string };

const quote = (text: string): string => JSON.stringify(text);
const pad = (value: number, width: number): string => String(value).padStart(width, '0');

/** Reads from the left what the layout asks for, and names the first piece that does not fit. */
class LayoutReader {
  rest: string;
  readonly #text: string;
  readonly #layout: string;
  error: string | undefined;

  constructor(text: string, layout: string) {
    this.#text = text;
    this.#layout = layout;
    this.rest = text;
  }

  #fail(what: string): number {
    this.error ??= `parsing time ${quote(this.#text)}${what}`;
    return 0;
  }

  /** `name`: the reference value of the layout, as Go quotes it. */
  cannotParse(rest: string, name: string): number {
    return this.#fail(` as ${quote(this.#layout)}: cannot parse ${quote(rest)} as ${quote(name)}`);
  }

  outOfRange(field: string): number {
    return this.#fail(`: ${field} out of range`);
  }

  extra(): number {
    return this.#fail(`: extra text: ${quote(this.rest)}`);
  }

  digits(width: number, name: string): number {
    if (this.error !== undefined) return 0;
    const piece = this.rest.slice(0, width);
    if (piece.length < width || !/^\d+$/.test(piece)) return this.cannotParse(this.rest, name);
    this.rest = this.rest.slice(width);
    return Number(piece);
  }

  literal(text: string): void {
    if (this.error !== undefined) return;
    if (this.rest.startsWith(text)) this.rest = this.rest.slice(text.length);
    else this.cannotParse(this.rest, text);
  }
}

const DAYS_IN_MONTH = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
const isLeap = (year: number): boolean => (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
const daysIn = (month: number, year: number): number =>
  (DAYS_IN_MONTH[month - 1] ?? 0) + (month === 2 && isLeap(year) ? 1 : 0);

function parse(text: string, layout: string): Parsed {
  const reader = new LayoutReader(text, layout);
  const year = reader.digits(4, '2006');
  reader.literal('-');
  const month = reader.digits(2, '01');
  if (reader.error === undefined && (month < 1 || month > 12)) reader.outOfRange('month');
  reader.literal('-');
  const day = reader.digits(2, '02');
  reader.literal('T');
  // Go's layout takes an hour of one digit.
  const hour = reader.digits(/^\d(?!\d)/.test(reader.rest) ? 1 : 2, '15');
  if (hour > 23) reader.outOfRange('hour');
  reader.literal(':');
  const minute = reader.digits(2, '04');
  if (minute > 59) reader.outOfRange('minute');
  reader.literal(':');
  const second = reader.digits(2, '05');
  if (second > 59) reader.outOfRange('second');
  const nanos = fraction(reader, layout === MICRO_LAYOUT);
  const offset = zone(reader);
  if (reader.error === undefined && reader.rest !== '') reader.extra();
  if (reader.error === undefined && (day < 1 || day > daysIn(month, year))) reader.outOfRange('day');
  if (reader.error !== undefined) return { error: reader.error };
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  date.setUTCHours(hour, minute, second);
  return { instant: { seconds: date.getTime() / 1000 - offset * 60, nanos } };
}

/** Nanoseconds. A layout without fraction takes any; one with six digits wants six. */
function fraction(reader: LayoutReader, micro: boolean): number {
  if (reader.error !== undefined) return 0;
  const digits = /^[.,](\d+)/.exec(reader.rest)?.[1];
  if (micro) {
    if (digits === undefined || digits.length < 6) return reader.cannotParse(reader.rest, '.000000');
    reader.rest = reader.rest.slice(7);
    return Number(digits.slice(0, 6)) * 1000;
  }
  if (digits === undefined) return 0;
  reader.rest = reader.rest.slice(digits.length + 1);
  return Number(digits.slice(0, 9).padEnd(9, '0'));
}

/** Minutes east of Greenwich. */
function zone(reader: LayoutReader): number {
  if (reader.error !== undefined) return 0;
  if (reader.rest.startsWith('Z')) {
    reader.rest = reader.rest.slice(1);
    return 0;
  }
  const match = /^([+-])(\d\d):(\d\d)/.exec(reader.rest);
  if (match === null) return reader.cannotParse(reader.rest, 'Z07:00');
  const [all, sign, hours, minutes] = match;
  if (Number(hours) > 24) return reader.outOfRange('time zone offset hour');
  if (Number(minutes) > 59) return reader.outOfRange('time zone offset minute');
  reader.rest = reader.rest.slice(all.length);
  const offset = Number(hours) * 60 + Number(minutes);
  return sign === '-' ? -offset : offset;
}

/** `2026-01-31T12:00:00Z`: what nearly every time on the wire looks like. */
const CANONICAL = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)Z$/;

function isCanonical(text: string): boolean {
  const match = CANONICAL.exec(text);
  if (match === null) return false;
  const month = Number(match[2]);
  const day = Number(match[3]);
  return (
    month >= 1 &&
    month <= 12 &&
    day >= 1 &&
    day <= 28 &&
    Number(match[4]) < 24 &&
    Number(match[5]) < 60 &&
    Number(match[6]) < 60 &&
    Number(match[1]) > 1
  );
}

/** `text` is absent for Go's zero time. */
export function canonicalTime(text: string): { readonly text?: string; readonly error?: string } {
  if (isCanonical(text)) return { text };
  const parsed = parse(text, SECOND_LAYOUT);
  if (parsed.error !== undefined) return { error: parsed.error };
  return { text: formatInstant(parsed.instant) };
}

export function canonicalMicroTime(text: string): { readonly text?: string; readonly error?: string } {
  const parsed = parse(text, MICRO_LAYOUT);
  if (parsed.error !== undefined) return { error: parsed.error };
  return { text: formatMicroInstant(parsed.instant) };
}

function isZero(instant: Instant): boolean {
  return instant.seconds * 1000 === ZERO_TIME_MS && instant.nanos === 0;
}

function formatDate(seconds: number): string {
  const date = new Date(seconds * 1000);
  return (
    `${pad(date.getUTCFullYear(), 4)}-${pad(date.getUTCMonth() + 1, 2)}-${pad(date.getUTCDate(), 2)}` +
    `T${pad(date.getUTCHours(), 2)}:${pad(date.getUTCMinutes(), 2)}:${pad(date.getUTCSeconds(), 2)}`
  );
}

/** As `metav1.Time` prints it; undefined for Go's zero time. */
export function formatInstant(instant: Instant): string | undefined {
  return isZero(instant) ? undefined : `${formatDate(instant.seconds)}Z`;
}

/** As `metav1.MicroTime` prints it; undefined for Go's zero time. */
export function formatMicroInstant(instant: Instant): string | undefined {
  if (isZero(instant)) return undefined;
  return `${formatDate(instant.seconds)}.${pad(Math.trunc(instant.nanos / 1000), 6)}Z`;
}

/** An RFC 3339 time with or without fraction. @throws Error with the message of Go's `time.Parse`. */
export function parseInstant(text: string): Instant {
  if (isCanonical(text)) return { seconds: Date.parse(text) / 1000, nanos: 0 };
  const parsed = parse(text, SECOND_LAYOUT);
  if (parsed.error !== undefined) throw new Error(parsed.error);
  return parsed.instant;
}

/** Epoch milliseconds of an RFC 3339 time. @throws Error with the message of Go's `time.Parse`. */
export function parseTimestamp(text: string): number {
  const { seconds, nanos } = parseInstant(text);
  return seconds * 1000 + Math.trunc(nanos / 1e6);
}

/** `2026-01-31T12:00:00Z`, as `metav1.Time` prints it (`clock.now()` in, field value out). */
export function formatTimestamp(epochMs: number): string {
  return `${formatDate(Math.floor(epochMs / 1000))}Z`;
}

/** `2026-01-31T12:00:00.000000Z`, as `metav1.MicroTime` prints it. */
export function formatMicroTimestamp(epochMs: number): string {
  const seconds = Math.floor(epochMs / 1000);
  const micros = Math.floor((epochMs - seconds * 1000) * 1000);
  return `${formatDate(seconds)}.${pad(micros, 6)}Z`;
}
