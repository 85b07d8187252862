import { isConflict } from '#machinery';

/** Attempts of `retryOnConflict`; the last conflict is thrown. */
const MAX_CONFLICT_ATTEMPTS = 5;

/**
 * Runs a read-change-write again when somebody else wrote in between. `attempt` must read anew every time: there is
 * no wait between attempts, for whoever won has already finished.
 */
export async function retryOnConflict<R>(attempt: () => Promise<R>): Promise<R> {
  for (let tried = 1; ; tried++) {
    try {
      return await attempt();
    } catch (error) {
      if (!isConflict(error) || tried >= MAX_CONFLICT_ATTEMPTS) throw error;
    }
  }
}
