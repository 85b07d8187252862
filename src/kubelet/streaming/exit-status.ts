/** How the end of an exec is told on its error channel (protocol v4 and later): a `metav1.Status`. */

export type CommandOutcome =
  | { readonly exitCode: number }
  /** The command could not be run, or the connection to it broke. */
  | { readonly error: string };

export function outcomeStatus(outcome: CommandOutcome): string {
  const metadata = {};
  if ('error' in outcome) {
    const message = `error executing command in container: ${outcome.error}`;
    return JSON.stringify({
      metadata,
      status: 'Failure',
      message: `Internal error occurred: ${message}`,
      reason: 'InternalError',
      details: { causes: [{ message }] },
      code: 500,
    });
  }
  if (outcome.exitCode === 0) return JSON.stringify({ metadata, status: 'Success' });
  return JSON.stringify({
    metadata,
    status: 'Failure',
    message: `command terminated with non-zero exit code: exit status ${outcome.exitCode}`,
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: String(outcome.exitCode) }] },
  });
}

/** Protocols before v4 carry the message alone, and only when there is one. */
export function outcomeText(outcome: CommandOutcome): string {
  if ('error' in outcome) return outcome.error;
  return outcome.exitCode === 0
    ? ''
    : `command terminated with non-zero exit code: exit status ${outcome.exitCode}`;
}
