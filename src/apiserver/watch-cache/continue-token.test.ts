import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeContinueToken, encodeContinueToken } from './continue-token.ts';

const raw = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

test('a token gives back where the next page starts', () => {
  const token = { revision: 12, startKey: 'default/a\0' };
  assert.deepEqual(decodeContinueToken(encodeContinueToken(token)), token);
});

test('tokens that this server did not hand out are refused with 400', () => {
  const cases: readonly (readonly [string, string])[] = [
    [
      raw({ v: 'v9', rv: 1, start: 'a' }),
      'invalid continue token: continue key is not valid: server does not recognize this encoded version v9',
    ],
    [
      raw({ v: 'meta.k8s.io/v1', rv: 0, start: 'a' }),
      'invalid continue token: continue key is not valid: incorrect encoded start resourceVersion (version meta.k8s.io/v1)',
    ],
    [
      raw({ v: 'meta.k8s.io/v1', rv: 1, start: '' }),
      'invalid continue token: continue key is not valid: encoded start key empty (version meta.k8s.io/v1)',
    ],
    [
      raw({ v: 'meta.k8s.io/v1', rv: 1, start: '../secrets/a' }),
      'invalid continue token: continue key is not valid: ../secrets/a',
    ],
  ];
  for (const [token, message] of cases) {
    assert.throws(() => decodeContinueToken(token), { code: 400, reason: 'BadRequest', message });
  }
});
