/** The 446 tests that "Kubernetes conformant" means in 1.36, from `tests.tsv`. */
import { readFileSync } from 'node:fs';

/** A: API server only. B: and controllers. C: and scheduler and true pod status. D: real processes are observed. */
export type Level = 'A' | 'B' | 'C' | 'D';

export interface ConformanceTest {
  readonly area: string;
  readonly level: Level;
  readonly flags: readonly string[];
  readonly images: readonly string[];
  readonly name: string;
}

const split = (text: string): readonly string[] => (text === '' ? [] : text.split(','));

export function readCatalog(): readonly ConformanceTest[] {
  const [, ...lines] = readFileSync(new URL('tests.tsv', import.meta.url), 'utf8')
    .trimEnd()
    .split('\n');
  return lines.map((line) => {
    const [area = '', level = '', flags = '', images = '', name = ''] = line.split('\t');
    return { area, level: level as Level, flags: split(flags), images: split(images), name };
  });
}
