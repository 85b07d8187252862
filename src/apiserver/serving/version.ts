/** `/version`: the API this server implements, and what it runs on. */
export interface VersionInfo {
  readonly [field: string]: string;
}

/** `platform`: `linux/amd64`. */
export function versionInfo(platform: string): VersionInfo {
  return {
    major: '1',
    minor: '36',
    emulationMajor: '1',
    emulationMinor: '36',
    minCompatibilityMajor: '1',
    minCompatibilityMinor: '35',
    gitVersion: 'v1.36.3',
    gitCommit: '',
    gitTreeState: 'clean',
    buildDate: '1970-01-01T00:00:00Z',
    goVersion: '',
    compiler: 'k8ts',
    platform,
  };
}
