import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '#platform';
import { VirtualClock } from '#testing';
import { describeStore } from '../store.contract.ts';
import { openEmbeddedStore } from './embedded-store.ts';

describeStore('embedded', {
  maxValueBytes: 8 * 1024 * 1024,
  deliversBeforeAcknowledging: true,
  modelRuns: 40,
  open: async () => {
    const folder = await mkdtemp(join(tmpdir(), 'k8ts-store-'));
    const clock = new VirtualClock();
    const store = await openEmbeddedStore({ folder, clock, logger: silentLogger });
    return {
      store,
      passTime: (ms) => clock.advance(ms),
      end: async () => {
        await store.close();
        await rm(folder, { recursive: true });
      },
    };
  },
});
