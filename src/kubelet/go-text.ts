/** Values as Go prints them, where a message carries one and people compare messages. */

/** `time.Duration`: `10s`, `1m20s`, `5m0s`, `1.5s`, `350ms`. */
export function goDuration(ms: number): string {
  if (ms < 1000) return `${ms}ms`;
  const hours = Math.floor(ms / 3_600_000);
  const minutes = Math.floor((ms % 3_600_000) / 60_000);
  const seconds = (ms % 60_000) / 1000;
  if (hours > 0) return `${hours}h${minutes}m${seconds}s`;
  return minutes > 0 ? `${minutes}m${seconds}s` : `${seconds}s`;
}

/** `%q`. */
export const quoted = (text: string): string => JSON.stringify(text);
