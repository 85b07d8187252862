import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '#platform';
import { HeldClock } from '../held-clock.ts';
import { describeStore } from '../store.contract.ts';
import { openEmbeddedStore } from './embedded-store.ts';

describeStore('embedded', {
  maxValueBytes: 8 * 1024 * 1024,
  deliversBeforeAcknowledging: true,
  modelRuns: 40,
  open: async () => {
    const folder = await mkdtemp(join(tmpdir(), 'k8ts-store-'));
    const clock = new HeldClock();
    const store = await openEmbeddedStore({ folder, clock, logger: silentLogger });
    return {
      store,
      passTime: (ms) => clock.step(ms),
      end: async () => {
        await store.close();
        await rm(folder, { recursive: true });
      },
    };
  },
});
