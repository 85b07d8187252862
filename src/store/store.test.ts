import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { prefixEnd } from './store.ts';

test('the end of a prefix comes after every key that starts with it and before every other that follows', () => {
  const character = fc.constantFrom(
    'a',
    '/',
    '0',
    '\x7f',
    'é',
    '\ud7ff',
    '\ue000',
    '\uffff',
    '\u{10000}',
    '\u{10ffff}',
  );
  const text = fc.string({ unit: character, maxLength: 4 });
  const order = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));
  fc.assert(
    fc.property(text, text, (prefix, key) => {
      const end = prefixEnd(prefix);
      // The very last code point has nothing after it; '' and it alone share their end.
      if (key.startsWith(prefix)) assert.ok(order(key, end) < 0 || key.startsWith('\u{10ffff}'));
      else assert.ok(order(key, prefix) < 0 || order(key, end) >= 0);
    }),
    { numRuns: 2_000 },
  );
});

test('ordinary prefixes end where etcd users expect', () => {
  assert.equal(prefixEnd('/registry/pods/'), '/registry/pods0');
  assert.equal(prefixEnd('a'), 'b');
  assert.equal(prefixEnd(''), '\u{10ffff}');
});
