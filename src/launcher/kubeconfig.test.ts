import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from 'yaml';
import { KubeconfigParseError, mergeKubeconfig, removeFromKubeconfig } from './kubeconfig.ts';

const entry = {
  name: 'k8ts',
  server: 'https://127.0.0.1:6443',
  caPem: 'ca',
  client: { certPem: 'cert', keyPem: 'key' },
};
const theirs = `# my clusters
apiVersion: v1
kind: Config
current-context: work
clusters:
  - name: work # the real one
    cluster: {server: https://work.example}
users: [{name: me, user: {token: t}}]
contexts: [{name: work, context: {cluster: work, user: me}}]
x-mine: kept
`;

interface Config {
  readonly 'current-context': string;
  readonly clusters: readonly { readonly name: string; readonly cluster: { readonly server: string } }[];
  readonly users: readonly { readonly name: string }[];
}

test('merging keeps everything that was there, comments too, and makes the new context current', () => {
  const merged = mergeKubeconfig(theirs, entry);
  assert.match(merged, /# my clusters/);
  assert.match(merged, /# the real one/);
  assert.match(merged, /x-mine: kept/);
  const config = parse(merged) as Config;
  assert.deepEqual(
    config.clusters.map((c) => c.name),
    ['work', 'k8ts'],
  );
  assert.equal(config['current-context'], 'k8ts');
});

test('merging twice replaces the entry instead of adding another', () => {
  const twice = mergeKubeconfig(mergeKubeconfig(theirs, entry), {
    ...entry,
    server: 'https://127.0.0.1:7443',
  });
  const config = parse(twice) as Config;
  assert.deepEqual(
    config.clusters.map((c) => c.cluster.server),
    ['https://work.example', 'https://127.0.0.1:7443'],
  );
  assert.equal(config.users.length, 2);
});

test('a file without content becomes a whole kubeconfig', () => {
  assert.equal((parse(mergeKubeconfig('', entry)) as Config)['current-context'], 'k8ts');
});

test('a file that is not YAML is refused', () => {
  assert.throws(() => mergeKubeconfig('a: [', entry), KubeconfigParseError);
  assert.throws(() => mergeKubeconfig('- a', entry), KubeconfigParseError);
});

test('removing leaves what others put there', () => {
  const removed = removeFromKubeconfig(mergeKubeconfig(theirs, entry), 'k8ts');
  const config = parse(removed) as Config;
  assert.deepEqual(
    config.clusters.map((c) => c.name),
    ['work'],
  );
  assert.equal(config['current-context'], '');
});
