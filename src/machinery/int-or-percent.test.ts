import assert from 'node:assert/strict';
import { test } from 'node:test';
import { intOrPercent } from './int-or-percent.ts';

test('a number is itself, a percentage is of the total', () => {
  assert.equal(intOrPercent(3, 10, true), 3);
  assert.equal(intOrPercent('25%', 10, true), 3);
  assert.equal(intOrPercent('25%', 10, false), 2);
  assert.equal(intOrPercent('100%', 7, false), 7);
});

test('other text is refused in upstream words', () => {
  assert.throws(() => intOrPercent('5', 10, true), {
    message: 'invalid value for IntOrString: invalid type: string is not a percentage',
  });
  assert.throws(() => intOrPercent('x%', 10, true), {
    message: 'invalid value for IntOrString: invalid value "x%": strconv.Atoi: parsing "x": invalid syntax',
  });
});
