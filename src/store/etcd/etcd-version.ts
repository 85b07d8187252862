/**
 * Whether this etcd answers a progress request only when every watch of the stream has really got that far. Before
 * 3.4.25 and 3.5.8 it answered with its newest revision at once, also for a watch that was still catching up.
 * Source: https://github.com/etcd-io/etcd/issues/15220.
 */
export function answersProgressTruly(version: string): boolean {
  const [major = 0, minor = 0, patch = 0] = version.split('.').map((part) => Number.parseInt(part, 10));
  if (major !== 3) return major > 3;
  if (minor === 4) return patch >= 25;
  if (minor === 5) return patch >= 8;
  return minor > 5;
}
