export interface ProcessResult {
  /** Exit code; 128 + n when ended by signal n. */
  readonly exitCode: number;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

export interface RunOptions {
  readonly input?: Uint8Array | string;
  readonly cwd?: string;
  /** The whole environment of the child; nothing is inherited. Absent: PATH only. */
  readonly env?: Readonly<Record<string, string>>;
  /** Bytes kept of each of stdout and stderr; what comes after is dropped. Default 16 MiB. */
  readonly maxOutputBytes?: number;
  /** Ends the child with SIGKILL and rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** Running short-lived programs (`nft`, `ip`, `runc`, `mount`). */
export interface Processes {
  /**
   * Runs to the end. A non-zero exit is a result, not a rejection.
   * @throws when the program cannot be started at all (ENOENT, EACCES).
   */
  run(program: string, args: readonly string[], options?: RunOptions): Promise<ProcessResult>;
}
