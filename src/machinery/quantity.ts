/**
 * Resource quantities (`100m`, `1.5Gi`, `12e6`) exactly as apimachinery's `resource.Quantity` reads, adds and
 * prints them. A value is `mantissa × 10^exponent`, never a floating point number.
 *
 * Source: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
 */

export type QuantityFormat = 'DecimalSI' | 'BinarySI' | 'DecimalExponent';

const FORMAT_ERROR =
  "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
const NUMERIC_ERROR = 'unable to parse numeric part of quantity';
const SUFFIX_ERROR = "unable to parse quantity's suffix";

/** Reading digits into a bigint is not linear in their number; no honest quantity comes near this. */
const MAX_TEXT_LENGTH = 1024;
/** Exponents beyond this cannot matter: the value is compared and rounded by its size alone. */
const MAX_SHIFT = 400;
const INT64_MAX = 2n ** 63n - 1n;
const NANO = -9;

const DECIMAL_SUFFIXES: ReadonlyMap<string, number> = new Map([
  ['n', -9],
  ['u', -6],
  ['m', -3],
  ['', 0],
  ['k', 3],
  ['M', 6],
  ['G', 9],
  ['T', 12],
  ['P', 15],
  ['E', 18],
]);
const BINARY_SUFFIXES: ReadonlyMap<string, number> = new Map([
  ['Ki', 10],
  ['Mi', 20],
  ['Gi', 30],
  ['Ti', 40],
  ['Pi', 50],
  ['Ei', 60],
]);
const DECIMAL_SUFFIX_OF = new Map([...DECIMAL_SUFFIXES].map(([suffix, exponent]) => [exponent, suffix]));
const BINARY_SUFFIX_OF = new Map([...BINARY_SUFFIXES].map(([suffix, exponent]) => [exponent, suffix]));

/** The text is not a quantity. The message is upstream's. */
export class QuantityError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'QuantityError';
  }
}

const pow10 = (exponent: number): bigint => 10n ** BigInt(Math.min(exponent, MAX_SHIFT));
const abs = (n: bigint): bigint => (n < 0n ? -n : n);

/** `mantissa × 10^exponent` in units of `10^scale`, away from zero when it does not fit. */
function atScale(mantissa: bigint, exponent: number, scale: number): { value: bigint; exact: boolean } {
  const shift = exponent - scale;
  if (mantissa === 0n) return { value: 0n, exact: true };
  if (shift >= 0) return { value: mantissa * pow10(shift), exact: true };
  const divisor = pow10(-shift);
  const quotient = mantissa / divisor;
  if (quotient * divisor === mantissa) return { value: quotient, exact: true };
  return { value: mantissa < 0n ? quotient - 1n : quotient + 1n, exact: false };
}

/** Immutable. Made by `parseQuantity` and by arithmetic. */
export class Quantity {
  readonly #mantissa: bigint;
  readonly #exponent: number;
  readonly format: QuantityFormat;
  #text: string | undefined;

  constructor(mantissa: bigint, exponent: number, format: QuantityFormat, text?: string) {
    this.#mantissa = mantissa;
    this.#exponent = exponent;
    this.format = format;
    this.#text = text;
  }

  /** A whole number, as `resource.NewQuantity` makes it. */
  static of(value: number | bigint, format: QuantityFormat = 'DecimalSI'): Quantity {
    return new Quantity(BigInt(value), 0, format);
  }

  /** Thousandths, as `resource.NewMilliQuantity` makes it. */
  static ofMilli(value: number | bigint, format: QuantityFormat = 'DecimalSI'): Quantity {
    return new Quantity(BigInt(value), -3, format);
  }

  isZero(): boolean {
    return this.#mantissa === 0n;
  }

  sign(): -1 | 0 | 1 {
    if (this.#mantissa === 0n) return 0;
    return this.#mantissa < 0n ? -1 : 1;
  }

  compare(other: Quantity): -1 | 0 | 1 {
    const common = Math.min(this.#exponent, other.#exponent);
    const a = this.#mantissa * pow10(this.#exponent - common);
    const b = other.#mantissa * pow10(other.#exponent - common);
    if (a === b) return 0;
    return a < b ? -1 : 1;
  }

  equals(other: Quantity): boolean {
    return this.compare(other) === 0;
  }

  /** The sum, printed in this quantity's format; in the other's when this one is zero. */
  add(other: Quantity): Quantity {
    return this.#combine(other, 1n);
  }

  /** The difference, which may be negative. */
  sub(other: Quantity): Quantity {
    return this.#combine(other, -1n);
  }

  #combine(other: Quantity, sign: 1n | -1n): Quantity {
    const common = Math.min(this.#exponent, other.#exponent);
    const mantissa =
      this.#mantissa * pow10(this.#exponent - common) +
      sign * other.#mantissa * pow10(other.#exponent - common);
    return new Quantity(mantissa, common, this.isZero() ? other.format : this.format);
  }

  negate(): Quantity {
    return new Quantity(-this.#mantissa, this.#exponent, this.format);
  }

  multiply(factor: number | bigint): Quantity {
    return new Quantity(this.#mantissa * BigInt(factor), this.#exponent, this.format);
  }

  /** In units of `10^scale`, rounded away from zero. Exact. */
  scaledValue(scale: number): bigint {
    return atScale(this.#mantissa, this.#exponent, scale).value;
  }

  /** Whole units, rounded away from zero: `1500m` is 2. Exact up to 2^53. */
  value(): number {
    return Number(this.scaledValue(0));
  }

  /** Thousandths, rounded away from zero: `1.5` is 1500. Exact up to 2^53. */
  milliValue(): number {
    return Number(this.scaledValue(-3));
  }

  /** Rounded away from zero to a multiple of `10^scale`; the same quantity when it already is one. */
  roundUp(scale: number): Quantity {
    if (this.#exponent >= scale) return this;
    const { value, exact } = atScale(this.#mantissa, this.#exponent, scale);
    return exact ? this : new Quantity(value, scale, this.format);
  }

  /** Approximate; for ratios and scores only. */
  toNumber(): number {
    return Number(this.#mantissa) * 10 ** this.#exponent;
  }

  /** The canonical form, as Go prints it. */
  toString(): string {
    this.#text ??= this.#canonical();
    return this.#text;
  }

  toJSON(): string {
    return this.toString();
  }

  #canonical(): string {
    if (this.#mantissa === 0n) return '0';
    if (this.format === 'BinarySI') {
      const { value, exact } = atScale(this.#mantissa, this.#exponent, 0);
      // Small or fractional values are clearer in decimal.
      if (exact && abs(value) >= 1024n) return canonicalBinary(value);
    }
    return this.#canonicalDecimal(this.format === 'DecimalExponent');
  }

  #canonicalDecimal(asExponent: boolean): string {
    let mantissa = this.#mantissa;
    let exponent = this.#exponent;
    while (mantissa % 10n === 0n) {
      mantissa /= 10n;
      exponent++;
    }
    while (exponent % 3 !== 0) {
      mantissa *= 10n;
      exponent--;
    }
    if (asExponent) return exponent === 0 ? `${mantissa}` : `${mantissa}e${exponent}`;
    return `${mantissa}${DECIMAL_SUFFIX_OF.get(exponent) ?? ''}`;
  }
}

function canonicalBinary(value: bigint): string {
  let mantissa = value;
  let exponent = 0;
  while (abs(mantissa) >= 1024n && mantissa % 1024n === 0n) {
    mantissa /= 1024n;
    exponent += 10;
  }
  return `${mantissa}${BINARY_SUFFIX_OF.get(exponent) ?? ''}`;
}

interface Suffix {
  readonly format: QuantityFormat;
  /** Of 10, or of 2 for `BinarySI`. */
  readonly exponent: number;
}

function interpretSuffix(text: string): Suffix | undefined {
  const decimal = DECIMAL_SUFFIXES.get(text);
  if (decimal !== undefined) return { format: 'DecimalSI', exponent: decimal };
  const binary = BINARY_SUFFIXES.get(text);
  if (binary !== undefined) return { format: 'BinarySI', exponent: binary };
  if (/^[eE][+-]?\d+$/.test(text)) {
    const exponent = Number(text.slice(1));
    return Number.isSafeInteger(exponent) ? { format: 'DecimalExponent', exponent } : undefined;
  }
  return undefined;
}

const PARTS = /^([+-]?)(\d*)(?:\.(\d*))?([eEinumkKMGTP]*[-+]?\d*)$/;

/** @throws QuantityError */
export function parseQuantity(input: string | number): Quantity {
  const text = typeof input === 'number' ? String(input) : input;
  if (text === '0') return new Quantity(0n, 0, 'DecimalSI', text);
  const parts = text === '' ? null : PARTS.exec(text);
  if (parts === null) throw new QuantityError(FORMAT_ERROR);
  const [, sign = '', integerDigits = '', fraction = '', suffixText = ''] = parts;
  const suffix = interpretSuffix(suffixText);
  if (suffix === undefined) throw new QuantityError(SUFFIX_ERROR);
  if (text.length > MAX_TEXT_LENGTH) throw new QuantityError(NUMERIC_ERROR);
  const integerPart = integerDigits.replace(/^0+/, '') || '0';
  return (
    parseSmall(text, sign, integerPart, fraction, suffix) ?? parseLarge(sign, integerDigits, fraction, suffix)
  );
}

/** Values that fit 18 digits; these keep the text they came in when it is (nearly) canonical. */
function parseSmall(
  text: string,
  sign: string,
  integerPart: string,
  fraction: string,
  suffix: Suffix,
): Quantity | undefined {
  const binary = suffix.format === 'BinarySI';
  const precision = binary
    ? 15 - integerPart.length - Math.trunc(Math.fround((suffix.exponent * 3) / 10)) - 1
    : 18 - integerPart.length - fraction.length;
  const exponent = binary ? 0 : suffix.exponent - fraction.length;
  if (precision < 0 || exponent < NANO || (binary && fraction !== '')) return undefined;
  const digits = integerPart + fraction;
  const number = BigInt(digits);
  const magnitude = binary ? number << BigInt(suffix.exponent) : number;
  if (magnitude > INT64_MAX) return undefined;
  const keepsText = binary
    ? (number & 7n) !== 0n
    : exponent % 3 === 0 && !digits.endsWith('000') && !digits.startsWith('0');
  return new Quantity(
    sign === '-' ? -magnitude : magnitude,
    exponent,
    suffix.format,
    keepsText ? text : undefined,
  );
}

function parseLarge(sign: string, integerDigits: string, fraction: string, suffix: Suffix): Quantity {
  if (integerDigits + fraction === '') throw new QuantityError(NUMERIC_ERROR);
  let { format } = suffix;
  let mantissa = BigInt(integerDigits + fraction);
  let exponent = -fraction.length;
  if (format === 'BinarySI') mantissa <<= BigInt(suffix.exponent);
  else exponent += suffix.exponent;
  // Too small a number is rounded up to the least there is: who asks for something gets something.
  if (mantissa !== 0n && exponent < NANO) {
    mantissa = atScale(mantissa, exponent, NANO).value;
    exponent = NANO;
  }
  if (format === 'BinarySI') {
    const one = pow10(-exponent);
    if (mantissa > INT64_MAX * one) {
      mantissa = INT64_MAX;
      exponent = 0;
    } else if (mantissa > 0n && mantissa < one) {
      format = 'DecimalSI';
    }
  }
  return new Quantity(sign === '-' ? -mantissa : mantissa, exponent, format);
}

/** Distinct quantities a cluster prints are few; when the cache is full it starts over. */
const CACHE_LIMIT = 4096;
const canonicalTexts = new Map<string, string>();

/** The canonical form of a quantity's text, or why it is not one. For decoding, which does little else. */
export function canonicalQuantity(text: string): { readonly text?: string; readonly error?: string } {
  const known = canonicalTexts.get(text);
  if (known !== undefined) return { text: known };
  try {
    const canonical = parseQuantity(text).toString();
    if (text.length <= 64) {
      if (canonicalTexts.size >= CACHE_LIMIT) canonicalTexts.clear();
      canonicalTexts.set(text, canonical);
    }
    return { text: canonical };
  } catch (error) {
    if (error instanceof QuantityError) return { error: error.message };
    throw error;
  }
}
