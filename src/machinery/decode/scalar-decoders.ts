/** One function per scalar type: checks a JSON value and gives it in the form in which Go prints it. */
import { canonicalDuration } from '../duration.ts';
import { canonicalQuantity } from '../quantity.ts';
import type { ScalarType } from '../schema.ts';
import { canonicalMicroTime, canonicalTime } from '../timestamp.ts';
import { DecodeError, type DecodeContext } from './decode-context.ts';

/** `undefined` means: nothing to print (the Go zero value of a time). Null never gets here. */
export type ScalarDecoder = (value: unknown, context: DecodeContext, goType: string) => unknown;

const INT32_MAX = 2 ** 31 - 1;
const INT64_LIMIT = 2 ** 63;

const string: ScalarDecoder = (value, context, goType) => {
  if (typeof value === 'string') return value;
  throw context.mismatch(value, goType);
};

const boolean: ScalarDecoder = (value, context, goType) => {
  if (typeof value === 'boolean') return value;
  throw context.mismatch(value, goType);
};

const integer =
  (min: number, max: number): ScalarDecoder =>
  (value, context, goType) => {
    // `-0` is an integer to JavaScript and prints as 0.
    if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
    throw context.mismatch(value, goType);
  };

/** The largest int64 a number can hold: JSON's rounding of the true maximum would not fit an int64 any more. */
const INT64_MAX = 2 ** 63 - 1024;
const anyInt64 = integer(-INT64_LIMIT, INT64_LIMIT);
const int64: ScalarDecoder = (value, context, goType) => {
  const checked = anyInt64(value, context, goType);
  return checked === INT64_LIMIT ? INT64_MAX : checked;
};

const float64: ScalarDecoder = (value, context, goType) => {
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  throw context.mismatch(value, goType);
};

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/** Where Go's decoder stops: at a byte that does not belong, or at the start of four that are cut short. */
function base64ErrorOffset(text: string): number {
  for (let at = 0, place = 0; at < text.length; at++, place = (place + 1) % 4) {
    const char = text[at] ?? '';
    if (/[A-Za-z0-9+/]/.test(char)) continue;
    if (char !== '=' || place < 2) return at;
    if (place === 3) return at + 1;
    if (at + 1 === text.length) return text.length;
    return text[at + 1] === '=' ? at + 2 : at;
  }
  return text.length - (text.length % 4);
}

const bytes: ScalarDecoder = (value, context) => {
  if (typeof value !== 'string') throw context.mismatch(value, '[]uint8');
  const text = value.includes('\n') || value.includes('\r') ? value.replaceAll(/[\r\n]/g, '') : value;
  if (text.length % 4 !== 0 || !BASE64.test(text)) {
    throw new DecodeError(`illegal base64 data at input byte ${base64ErrorOffset(text)}`);
  }
  // Bits that padding cuts off may be set in the input; Go prints them cleared.
  return text.endsWith('=') ? Buffer.from(text, 'base64').toString('base64') : text;
};

const quantity: ScalarDecoder = (value) => {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  const canonical = canonicalQuantity(text.trim());
  if (canonical.error !== undefined) throw new DecodeError(canonical.error);
  return canonical.text;
};

const parsed =
  (
    canonical: (text: string) => { readonly text?: string | undefined; readonly error?: string | undefined },
  ): ScalarDecoder =>
  (value, context) => {
    if (typeof value !== 'string') throw context.mismatch(value, 'string');
    const result = canonical(value);
    if (result.error !== undefined) throw new DecodeError(result.error);
    return result.text;
  };

const intOrString: ScalarDecoder = (value, context) => {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' && Number.isInteger(value) && Math.abs(value) <= INT32_MAX + 1) return value;
  throw context.mismatch(value, 'int32');
};

export const scalarDecoders: Readonly<Record<ScalarType, ScalarDecoder>> = {
  string,
  boolean,
  int32: integer(-INT32_MAX - 1, INT32_MAX),
  int64,
  uint32: integer(0, 2 ** 32 - 1),
  float64,
  bytes,
  quantity,
  time: parsed(canonicalTime),
  microtime: parsed(canonicalMicroTime),
  duration: parsed(canonicalDuration),
  'int-or-string': intOrString,
};

const GO_TYPES: Readonly<Partial<Record<ScalarType, string>>> = { boolean: 'bool', bytes: '[]uint8' };
export const goScalarType = (type: ScalarType): string => GO_TYPES[type] ?? type;
