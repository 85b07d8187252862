/** A build that cannot go on; the message says where in which file. */
export class BuildError extends Error {
  override readonly name = 'BuildError';
  readonly file: string;
  readonly line: number;
  constructor(at: { readonly file: string; readonly line: number }, message: string, cause?: unknown) {
    super(`${at.file}:${at.line}: ${message}`, cause === undefined ? undefined : { cause });
    this.file = at.file;
    this.line = at.line;
  }
}
