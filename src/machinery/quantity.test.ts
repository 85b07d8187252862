import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { parseQuantity, Quantity } from './quantity.ts';

const canonical = (text: string): string => parseQuantity(text).toString();

test('a quantity prints in canonical form', () => {
  const cases: readonly (readonly [input: string, output: string])[] = [
    ['0', '0'],
    ['0.0', '0'],
    ['-0', '0'],
    ['1.5', '1500m'],
    ['0.1', '100m'],
    ['1000', '1k'],
    ['1024', '1024'],
    ['1024Ki', '1Mi'],
    ['1.5Gi', '1536Mi'],
    ['0.5Ki', '512'],
    ['1Ki', '1Ki'],
    ['12e6', '12e6'],
    ['1e3', '1e3'],
    ['1500e-3', '1500e-3'],
    ['100000', '100k'],
    ['0.0000000001', '1n'],
    ['-0.3n', '-1n'],
    ['10000000000000000000Ki', '9223372036854775807'],
    ['1E', '1E'],
    ['.98E3', '980'],
  ];
  for (const [input, output] of cases) assert.equal(canonical(input), output, input);
});

test('text that is nearly canonical is kept as it came, as upstream keeps it', () => {
  assert.equal(canonical('+3e+6'), '+3e+6');
  assert.equal(canonical('06Ki'), '06Ki');
  assert.equal(canonical('1.234'), '1.234');
});

test('what is not a quantity is refused in upstream words', () => {
  const format =
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
  for (const text of ['', 'abc', '1 ', '1.2.3', '1Mi5x']) {
    assert.throws(() => parseQuantity(text), { name: 'QuantityError', message: format }, text);
  }
  for (const text of ['1i', '1K', '1mi', '1e', '1m5']) {
    assert.throws(() => parseQuantity(text), { message: "unable to parse quantity's suffix" }, text);
  }
  assert.throws(() => parseQuantity('e-30'), { message: 'unable to parse numeric part of quantity' });
  assert.throws(() => parseQuantity('9'.repeat(5000)), {
    message: 'unable to parse numeric part of quantity',
  });
});

test('an absurd exponent costs nothing', () => {
  assert.equal(canonical('1e-2000000000'), '1e-9');
  assert.equal(parseQuantity('1e2000000000').compare(parseQuantity('1')), 1);
});

test('values are rounded away from zero', () => {
  assert.equal(parseQuantity('1500m').value(), 2);
  assert.equal(parseQuantity('-1500m').value(), -2);
  assert.equal(parseQuantity('1n').milliValue(), 1);
  assert.equal(parseQuantity('1.5').milliValue(), 1500);
  assert.equal(parseQuantity('1.5Gi').value(), 1610612736);
  assert.equal(parseQuantity('8Ei').scaledValue(0), 2n ** 63n - 1n);
  assert.equal(parseQuantity('1001u').roundUp(-3).toString(), '2m');
});

test('arithmetic keeps the format of the first, unless that is zero', () => {
  assert.equal(parseQuantity('1Gi').add(parseQuantity('1G')).toString(), '2073741824');
  assert.equal(parseQuantity('1Gi').add(parseQuantity('1Gi')).toString(), '2Gi');
  assert.equal(parseQuantity('0').add(parseQuantity('1Ki')).toString(), '1Ki');
  assert.equal(parseQuantity('100m').sub(parseQuantity('1')).toString(), '-900m');
  assert.equal(Quantity.of(2048, 'BinarySI').toString(), '2Ki');
  assert.equal(Quantity.ofMilli(1500).toString(), '1500m');
});

const suffix = fc.constantFrom('', 'n', 'u', 'm', 'k', 'M', 'G', 'T', 'Ki', 'Mi', 'Gi', 'e3', 'E-3');
const quantityText = fc
  .tuple(fc.constantFrom('', '-'), fc.nat(1_000_000), fc.option(fc.nat(999), { nil: undefined }), suffix)
  .map(
    ([sign, whole, fraction, unit]) =>
      `${sign}${whole}${fraction === undefined ? '' : `.${fraction}`}${unit}`,
  );

test('the canonical form reads back as the same quantity', () => {
  fc.assert(
    fc.property(quantityText, (text) => {
      const quantity = parseQuantity(text);
      const again = parseQuantity(quantity.toString());
      assert.equal(again.compare(quantity), 0);
    }),
  );
});

test('what is added can be taken away again', () => {
  fc.assert(
    fc.property(quantityText, quantityText, (a, b) => {
      const [x, y] = [parseQuantity(a), parseQuantity(b)];
      assert.equal(x.add(y).sub(y).compare(x), 0);
      assert.equal(x.add(y).compare(y.add(x)), 0);
    }),
  );
});
