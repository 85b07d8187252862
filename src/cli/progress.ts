/** What long commands say while they work, on stderr: results alone go to stdout. */

export interface Progress {
  /** Says what begins now; the one before is done. */
  step(text: string): void;
  /** A detail of the current step: shown on a terminal, in place. */
  detail(text: string): void;
  /** The last step is done. */
  done(): void;
  /** The current step failed. */
  failed(): void;
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

export function terminalProgress(stream: NodeJS.WriteStream, now: () => number): Progress {
  let current: { readonly text: string; readonly startedAt: number } | undefined;
  const isTerminal = stream.isTTY;
  const clear = (): void => void (isTerminal && stream.write('\r\u001B[K'));
  const finish = (mark: string): void => {
    if (current === undefined) return;
    clear();
    stream.write(`${mark} ${current.text} (${seconds(now() - current.startedAt)})\n`);
    current = undefined;
  };
  return {
    step(text) {
      finish('✔');
      current = { text, startedAt: now() };
      if (isTerminal) stream.write(`• ${text} …`);
    },
    detail(text) {
      if (!isTerminal || current === undefined) return;
      clear();
      stream.write(`• ${current.text}: ${text}`.slice(0, stream.columns - 1));
    },
    done: () => finish('✔'),
    failed: () => finish('✖'),
  };
}

export const noProgress: Progress = {
  step: () => undefined,
  detail: () => undefined,
  done: () => undefined,
  failed: () => undefined,
};
