import assert from 'node:assert/strict';
import { test } from 'node:test';
import { specDiff } from './spec-diff.ts';

test('what is equal differs in nothing', () => {
  assert.equal(specDiff({ a: [1, 2] }, { a: [1, 2] }), '');
});

test('a change is shown with three lines around it', () => {
  const spec = (image: string) => ({ a: 1, b: 2, c: 3, d: 4, image, e: 5, f: 6, g: 7, h: 8 });
  assert.equal(
    specDiff(spec('old'), spec('new')),
    '@@ -3,7 +3,7 @@\n  "b": 2,\n  "c": 3,\n  "d": 4,\n- "image": "old",\n+ "image": "new",\n  "e": 5,\n  "f": 6,\n  "g": 7,\n',
  );
});

test('changes far apart are shown apart', () => {
  const many = (first: number, last: number) => [first, 1, 2, 3, 4, 5, 6, 7, 8, 9, last];
  const text = specDiff(many(0, 0), many(-1, -1));
  assert.equal(text.match(/^@@ /gm)?.length, 2);
  assert.match(text, /^- 0,$/m);
  assert.match(text, /^\+ -1$/m);
});
