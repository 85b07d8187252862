import { VirtualClock } from '#testing';
import { describeStore } from '../store.contract.ts';
import { createMemoryStore } from './memory-store.ts';

describeStore('memory', {
  maxValueBytes: 8 * 1024 * 1024,
  deliversBeforeAcknowledging: true,
  modelRuns: 200,
  open: async () => {
    const clock = new VirtualClock();
    const store = createMemoryStore({ clock });
    return { store, passTime: (ms) => clock.advance(ms), end: () => store.close() };
  },
});
