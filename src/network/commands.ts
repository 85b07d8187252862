/** Running `ip` and `nft` scripts; a failure carries the tool's own words. */
import type { Processes } from '#platform';

export class NetworkCommandError extends Error {
  constructor(program: string, exitCode: number, output: string) {
    super(`${program} failed with exit code ${exitCode}: ${output.trim()}`);
    this.name = 'NetworkCommandError';
  }
}

export async function runScript(
  processes: Processes,
  program: string,
  args: readonly string[],
  script = '',
): Promise<string> {
  const result = await processes.run(program, args, { input: script });
  if (result.exitCode !== 0) {
    throw new NetworkCommandError(
      program,
      result.exitCode,
      `${result.stderr.toString()}${result.stdout.toString()}`,
    );
  }
  return result.stdout.toString();
}

/** One transaction: all of the script or nothing. */
export async function runNft(processes: Processes, script: string): Promise<void> {
  await runScript(processes, 'nft', ['-f', '-'], script);
}

export async function runIp(processes: Processes, lines: readonly string[]): Promise<void> {
  await runScript(processes, 'ip', ['-batch', '-'], `${lines.join('\n')}\n`);
}
