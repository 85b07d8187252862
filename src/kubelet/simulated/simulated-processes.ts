/** Programs that all succeed and do nothing: a simulated node mounts nothing. */
import type { Processes } from '#platform';

export const simulatedProcesses: Processes = {
  run: async () => ({ exitCode: 0, stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) }),
};
