import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KubeconfigError, loadKubeconfig } from './load-kubeconfig.ts';

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const file = (user: string, context = 'dev'): string => `
apiVersion: v1
kind: Config
current-context: ${context}
contexts:
- name: dev
  context: { cluster: local, user: me, namespace: team }
clusters:
- name: local
  cluster: { server: 'https://127.0.0.1:6443', certificate-authority-data: ${base64('the CA')} }
users:
- name: me
  user: ${user}
`;

test('the current context says where, as whom and in which namespace', () => {
  const user = `{ client-certificate-data: ${base64('cert')}, client-key-data: ${base64('key')} }`;
  assert.deepEqual(loadKubeconfig(file(user)), {
    server: 'https://127.0.0.1:6443',
    ca: 'the CA',
    clientCert: 'cert',
    clientKey: 'key',
    namespace: 'team',
  });
  assert.equal(loadKubeconfig(file('{ token: secret }')).token, 'secret');
});

test('what is missing or not supported is named', () => {
  assert.throws(() => loadKubeconfig(file('{}', 'prod')), new KubeconfigError('no context named "prod"'));
  assert.throws(
    () => loadKubeconfig(file('{ exec: { command: aws } }')),
    new KubeconfigError('user "me": exec is not supported'),
  );
  assert.throws(() => loadKubeconfig(''), new KubeconfigError('no context named ""'));
});
