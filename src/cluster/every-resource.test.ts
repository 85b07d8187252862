import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { after, before, test } from 'node:test';
import { builtinResources } from '#api';
import type { KubeList } from '#machinery';
import { silentLogger } from '#platform';
import { systemClock, systemRandom } from '#platform/node';
import { createMemoryStore } from '#store';
import { ADMIN, type ControlPlane, startControlPlane } from './control-plane.ts';
import { enabledVersions } from './runtime-config.ts';

let plane: ControlPlane;
before(async () => {
  plane = startControlPlane({
    store: createMemoryStore({ clock: systemClock }),
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger,
    serviceAccountKeyPem: generateKeyPairSync('ec', {
      namedCurve: 'P-256',
      publicKeyEncoding: { type: 'spki', format: 'pem' },
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    }).privateKey,
    caPem: '',
    enabledVersions: enabledVersions(['api/all=true']),
  });
  await plane.apiServer.ready;
});
after(() => plane.stop());

test('every built-in resource of every version can be listed and watched', async () => {
  const endpoint = plane.apiServer.endpointFor(ADMIN);
  const listed = builtinResources.filter((info) => info.verbs.includes('list'));
  assert.ok(listed.length > 80, `${listed.length} resources`);
  for (const { group, version, resource, listKind, verbs } of listed) {
    const where = `${group}/${version} ${resource}`;
    const { code, object } = await endpoint.request({ verb: 'list', group, version, resource });
    assert.equal(code, 200, where);
    const list = object as KubeList;
    assert.equal(list.kind, listKind, where);
    assert.ok(Array.isArray(list.items), where);
    if (!verbs.includes('watch')) continue;
    const leave = new AbortController();
    const events = await endpoint.watch(
      {
        verb: 'watch',
        group,
        version,
        resource,
        options: { sendInitialEvents: true, allowWatchBookmarks: true, resourceVersionMatch: 'NotOlderThan' },
      },
      { signal: leave.signal },
    );
    let sawEnd = false;
    for await (const event of events) {
      assert.notEqual(event.type, 'ERROR', where);
      sawEnd =
        event.type === 'BOOKMARK' &&
        event.object.metadata.annotations?.['k8s.io/initial-events-end'] === 'true';
      if (sawEnd) break;
    }
    leave.abort();
    assert.ok(sawEnd, `${where}: the initial events have an end`);
  }
});
