import { execFileSync } from 'node:child_process';
import { after, before } from 'node:test';
import { silentLogger } from '#platform';
import { systemClock } from '#platform/node';
import { describeStore } from '../store.contract.ts';
import { connectEtcdStore } from './connect.ts';
import { answersProgressTruly } from './etcd-version.ts';
import { EtcdCluster, findEtcd } from './fixtures/etcd-server.ts';

const program = findEtcd();
// `etcd Version: 3.4.23` and more lines.
const version = program === undefined ? '' : execFileSync(program, ['--version'], { encoding: 'utf8' });
let cluster: EtcdCluster | undefined;
let stores = 0;

before(async () => {
  if (program !== undefined) cluster = await EtcdCluster.start(program);
});

after(async () => {
  await cluster?.destroy();
});

describeStore('etcd', {
  skip: program === undefined ? 'etcd is not installed' : undefined,
  // etcd refuses requests of more than 1.5 MiB unless told otherwise.
  maxValueBytes: 1024 * 1024,
  deliversBeforeAcknowledging: false,
  reportsProgressOfThePast: answersProgressTruly(/[\d.]+/.exec(version)?.[0] ?? ''),
  modelRuns: 15,
  open: async () => {
    const store = await connectEtcdStore({
      endpoints: cluster?.endpoints ?? [],
      prefix: `/test-${++stores}/`,
      clock: systemClock,
      logger: silentLogger,
    });
    return { store, passTime: async () => undefined, end: () => store.close() };
  },
});
