/**
 * What kube-apiserver 1.36.3 answered to objects that are wrong in one way or another (and to some that are not), one
 * case a line in `fixtures/answers/*.jsonl`; an API server of ours has to answer the same. Not recorded: what is random or
 * depends on the clock, and texts that print Go's internal types (there, only which fields are blamed).
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { type PatchType, StatusError } from '#machinery';
import { API_SERVER_ALONE, startCluster, type TestCluster } from '#testing';
import { builtinResources } from '../schema/builtin-resources.ts';

interface Answer {
  readonly code: number;
  /** Where there is at most one cause. */
  readonly message?: string;
  /** `field|reason|message`, sorted, each once: Go walks maps in no order. */
  readonly causes?: readonly string[];
  /** Only the fields of the causes. */
  readonly fields?: readonly string[];
}

interface Case {
  readonly title: string;
  readonly create: {
    readonly apiVersion: string;
    readonly kind: string;
    readonly metadata: { readonly name: string; readonly namespace?: string };
  };
  /** Applied one after the other to what was created; the answer is that to the last. */
  readonly patches?: readonly object[];
  readonly subresource?: string;
  readonly patchType?: PatchType;
  readonly answer: Answer;
}

const folder = new URL('fixtures/answers/', import.meta.url);
const admin = { name: 'admin', groups: ['system:masters', 'system:authenticated'] };
let fixture: TestCluster;

before(async () => {
  fixture = await startCluster(API_SERVER_ALONE);
  await fixture.apiServer.endpointFor(admin).request({
    verb: 'create',
    ...{ group: '', version: 'v1', resource: 'serviceaccounts', namespace: 'default' },
    body: { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default' } },
  });
});
after(() => fixture.stop());

function targetOf({ apiVersion, kind, metadata }: Case['create']) {
  const [version = '', group = ''] = apiVersion.split('/').toReversed();
  const info = builtinResources.find((r) => r.group === group && r.version === version && r.kind === kind);
  assert.ok(info, `${apiVersion} ${kind}`);
  const namespace = info.namespaced ? { namespace: metadata.namespace ?? 'default' } : {};
  return { group, version, resource: info.resource, ...namespace };
}

async function ask({ create, patches = [], subresource, patchType }: Case): Promise<number> {
  const endpoint = fixture.apiServer.endpointFor(admin);
  const target = targetOf(create);
  const { name } = create.metadata;
  let { code } = await endpoint.request({ verb: 'create', ...target, body: create });
  try {
    for (const patch of patches) {
      const answer = await endpoint.request({
        verb: 'patch',
        ...target,
        name,
        ...(subresource === undefined ? {} : { subresource }),
        patchType: patchType ?? 'application/strategic-merge-patch+json',
        body: patch,
      });
      ({ code } = answer);
    }
  } finally {
    const options = { gracePeriodSeconds: 0, propagationPolicy: 'Background' as const };
    await endpoint.request({ verb: 'delete', ...target, name, options });
  }
  return code;
}

const UID = /[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}/g;

/** In the same terms as what was recorded. */
async function answerTo(recorded: Case): Promise<Answer> {
  try {
    return { code: await ask(recorded) };
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    const { code = 0, message = '', details } = error.toStatus();
    const causes = (details?.causes ?? []).map(
      ({ field = '', reason = '', message: text = '' }) => `${field}|${reason}|${text.replace(UID, 'UID')}`,
    );
    const distinct = [...new Set(causes)].toSorted();
    if (recorded.answer.fields !== undefined) {
      return {
        code,
        fields: [...new Set((details?.causes ?? []).map(({ field = '' }) => field))].toSorted(),
      };
    }
    if (distinct.length > 1) return { code, causes: distinct };
    return { code, message: message.replace(UID, 'UID') };
  }
}

for (const file of readdirSync(folder).toSorted()) {
  const lines = readFileSync(new URL(file, folder), 'utf8').trim().split('\n');
  test(`${file.replace('.jsonl', '')}: ${lines.length} requests are answered as upstream answers them`, async () => {
    for (const line of lines) {
      const recorded = JSON.parse(line) as Case;
      assert.deepEqual(await answerTo(recorded), recorded.answer, recorded.title);
    }
  });
}
