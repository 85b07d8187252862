/** Counts and durations of requests, printed in Prometheus' text format. */
import type { RequestPath } from './request-path.ts';

/** Upper bounds of the duration histogram. */
const BUCKETS_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

interface Series {
  readonly labels: string;
  count: number;
}

interface Histogram {
  readonly labels: string;
  readonly buckets: number[];
  count: number;
  sumSeconds: number;
}

/** Bounded by what is served: one series per verb, resource and status code. */
export class RequestMetrics {
  readonly #requests = new Map<string, Series>();
  readonly #durations = new Map<string, Histogram>();

  /** `code` 0: answered with success. `isServed`: the resource exists; others are counted together. */
  record(parsed: RequestPath, code: number, durationMs: number, isServed: boolean): void {
    const labels = parsed.isResource
      ? `verb="${parsed.verb.toUpperCase()}",group="${parsed.target.group}",version="${parsed.target.version}",resource="${parsed.target.resource}",subresource="${parsed.target.subresource ?? ''}"`
      : `verb="${parsed.verb.toUpperCase()}",group="",version="",resource="",subresource=""`;
    const known = !isServed
      ? `verb="${parsed.verb.toUpperCase()}",group="",version="",resource="",subresource=""`
      : labels;
    this.#count(known, code);
    if (parsed.isResource && parsed.verb !== 'watch') this.#observe(known, durationMs / 1000);
  }

  print(): string {
    const lines = [
      '# HELP apiserver_request_total Requests answered, by verb, resource and HTTP status code.',
      '# TYPE apiserver_request_total counter',
    ];
    for (const { labels, count } of this.#requests.values())
      lines.push(`apiserver_request_total{${labels}} ${count}`);
    lines.push(
      '# HELP apiserver_request_duration_seconds Time from reading a request to its answer.',
      '# TYPE apiserver_request_duration_seconds histogram',
    );
    for (const histogram of this.#durations.values()) lines.push(...printHistogram(histogram));
    return `${lines.join('\n')}\n`;
  }

  #count(labels: string, code: number): void {
    const key = `${labels},code="${code === 0 ? 200 : code}"`;
    const series = this.#requests.get(key);
    if (series === undefined) this.#requests.set(key, { labels: key, count: 1 });
    else series.count++;
  }

  #observe(labels: string, seconds: number): void {
    let histogram = this.#durations.get(labels);
    if (histogram === undefined) {
      histogram = { labels, buckets: BUCKETS_SECONDS.map(() => 0), count: 0, sumSeconds: 0 };
      this.#durations.set(labels, histogram);
    }
    histogram.count++;
    histogram.sumSeconds += seconds;
    const at = BUCKETS_SECONDS.findIndex((bound) => seconds <= bound);
    if (at >= 0) histogram.buckets[at] = (histogram.buckets[at] ?? 0) + 1;
  }
}

function printHistogram(histogram: Histogram): string[] {
  const name = 'apiserver_request_duration_seconds';
  let cumulative = 0;
  const lines = BUCKETS_SECONDS.map((bound, i) => {
    cumulative += histogram.buckets[i] ?? 0;
    return `${name}_bucket{${histogram.labels},le="${bound}"} ${cumulative}`;
  });
  return [
    ...lines,
    `${name}_bucket{${histogram.labels},le="+Inf"} ${histogram.count}`,
    `${name}_sum{${histogram.labels}} ${histogram.sumSeconds}`,
    `${name}_count{${histogram.labels}} ${histogram.count}`,
  ];
}
