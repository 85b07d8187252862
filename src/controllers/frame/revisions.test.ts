import assert from 'node:assert/strict';
import { test } from 'node:test';
import { revisionData } from './revisions.ts';

test('the data of a revision has its keys in order, since tools compare its bytes', () => {
  const data = revisionData({
    spec: { containers: [{ name: 'c', image: 'i', args: ['b', 'a'] }], nodeName: 'n' },
    metadata: { name: '', uid: '', resourceVersion: '', creationTimestamp: '', labels: { b: '1', a: '2' } },
  });
  assert.equal(
    JSON.stringify(data),
    '{"spec":{"template":{"$patch":"replace",' +
      '"metadata":{"creationTimestamp":"","labels":{"a":"2","b":"1"},"name":"","resourceVersion":"","uid":""},' +
      '"spec":{"containers":[{"args":["b","a"],"image":"i","name":"c"}],"nodeName":"n"}}}}',
  );
});
