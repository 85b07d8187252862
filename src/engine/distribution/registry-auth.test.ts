import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseChallenge, tokenRequest } from './registry-auth.ts';

test('a challenge has a scheme and parameters, quoted or not', () => {
  assert.deepEqual(
    parseChallenge(
      'Bearer realm="https://auth.example/token",service="reg,istry",scope="repository:a/b:pull,push"',
    ),
    {
      scheme: 'bearer',
      parameters: {
        realm: 'https://auth.example/token',
        service: 'reg,istry',
        scope: 'repository:a/b:pull,push',
      },
    },
  );
  assert.deepEqual(parseChallenge('Basic realm=plain'), { scheme: 'basic', parameters: { realm: 'plain' } });
  assert.equal(parseChallenge(''), undefined);
});

test('a token is asked for with the password, or with the identity token by OAuth', () => {
  const question = { realm: 'https://auth.example/token', service: 'registry', scope: 'repository:a:pull' };
  assert.deepEqual(tokenRequest(question, { username: 'u', password: 'p' }), {
    method: 'GET',
    url: 'https://auth.example/token?service=registry&scope=repository%3Aa%3Apull',
    headers: { authorization: `Basic ${Buffer.from('u:p').toString('base64')}` },
  });
  const oauth = tokenRequest(question, { identityToken: 't' });
  assert.equal(oauth.method, 'POST');
  assert.equal(
    oauth.body?.toString(),
    'service=registry&scope=repository%3Aa%3Apull&grant_type=refresh_token&refresh_token=t&client_id=k8ts',
  );
});
